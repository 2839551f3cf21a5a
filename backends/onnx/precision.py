"""Turns an fp32 ONNX graph into one of fp16 or bf16 arithmetic, with what needs fp32 left in it.

onnxruntime's own converter knows fp16 only, rounds the angles of rotary positions to it (by up to 0.125 rad at token
500) and gives two nodes one name where sine and cosine read the same tensor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ml_dtypes import bfloat16
from onnx import TensorProto, helper, load, numpy_helper, shape_inference
from onnx.external_data_helper import load_external_data_for_model

from backends.onnx.files import LARGEST_PROTOBUF_BYTES, file_bytes, save
from bench.errors import NotAvailable

NUMBERS = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
TYPES: dict[str, Any] = {"fp16": np.float16, "bf16": bfloat16}
LARGEST_FP16 = 65504.0  # a mask's lowest number has to stay finite in both
ANGLES = frozenset({"Sin", "Cos"})  # with all they are computed from
SQUARES = frozenset({"Pow", "ReduceMean", "ReduceL2", "Sqrt", "Reciprocal"})  # of a norm: squares leave fp16's range
KEPT = ANGLES | SQUARES | {"LogSoftmax", "Range", "CumSum"}


def to_16_bits(model: Path, target: Path, precision: str) -> None:
    """Write the model at `target` with weights and arithmetic in 16 bits; ids and logits keep their types.

    Raises NotAvailable for a graph with branches or loops.
    """
    content = load(model, load_external_data=False)
    floats = _float_tensors(content)
    load_external_data_for_model(content, str(model.parent))
    narrowing = _Narrowing(content.graph, floats, precision)
    for tensor in content.graph.initializer:
        if tensor.name not in narrowing.wide:
            _narrow(tensor, precision)
    nodes = [part for node in content.graph.node for part in narrowing.parts(node)]
    del content.graph.node[:]
    content.graph.node.extend(nodes)
    del content.graph.value_info[:]  # types of before
    save(content, target, beside=file_bytes(model) > 2 * LARGEST_PROTOBUF_BYTES)


class _Narrowing:
    """Which nodes compute in fp32, which tensors are fp32 (`wide`), and the casts between both."""

    def __init__(self, graph: Any, floats: set[str], precision: str) -> None:
        self.floats = floats
        self.precision = precision
        self.outputs = {value.name for value in graph.output}
        self.kept = _kept(graph)
        given = {tensor.name for tensor in graph.initializer}
        given |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
        read = {name for node in graph.node if self._is_kept(node) for name in node.input}
        self.wide = self.outputs | {name for name in read if name in given}
        self.wide |= {name for node in graph.node if self._is_kept(node) for name in node.output}
        self._cast: set[str] = set()

    def _is_kept(self, node: Any) -> bool:
        return node.output[0] in self.kept

    def parts(self, node: Any) -> Iterator[Any]:
        """The node as it is in the new graph, after the casts of what it reads and before that of a graph's output."""
        kept = self._is_kept(node)
        for position, name in enumerate(node.input):
            if name in self.floats and (name in self.wide) != kept:
                yield from self._cast_once(name, to_wide=kept)
                node.input[position] = self._named(name, to_wide=kept)
        if not kept and node.output[0] not in self.wide - self.outputs:
            _narrow_attributes(node, self.precision)
        given = node.output[0]
        if not kept and given in self.outputs:
            node.output[0] = f"{given}.{self.precision}"
            yield node
            yield helper.make_node("Cast", [node.output[0]], [given], to=TensorProto.FLOAT)
        else:
            yield node

    def _cast_once(self, name: str, to_wide: bool) -> Iterator[Any]:
        made = self._named(name, to_wide)
        if made not in self._cast:
            self._cast.add(made)
            yield helper.make_node("Cast", [name], [made], to=TensorProto.FLOAT if to_wide else NUMBERS[self.precision])

    def _named(self, name: str, to_wide: bool) -> str:
        return f"{name}.fp32" if to_wide else f"{name}.{self.precision}"


def _float_tensors(content: Any) -> set[str]:
    graph = shape_inference.infer_shapes(content).graph
    values = (*graph.value_info, *graph.output)
    typed = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    return typed | {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT}


def _kept(graph: Any) -> set[str]:
    """First outputs of the nodes that stay in fp32: angles from their beginning on, norms to the factor they give."""
    maker = {name: node for node in graph.node for name in node.output}
    if any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        raise NotAvailable("a graph with branches or loops is not turned into 16 bits; choose the fp32 engine")

    def makers(node: Any) -> Iterable[Any]:
        return (maker[name] for name in node.input if name in maker)

    kept = {node.output[0] for node in graph.node if node.op_type in KEPT}
    waiting = [node for node in graph.node if node.op_type in ANGLES]
    while waiting:
        for made_by in makers(waiting.pop()):
            if made_by.output[0] not in kept:
                kept.add(made_by.output[0])
                waiting.append(made_by)
    for node in graph.node:  # the small number added to a mean of squares, and what the root divides
        if node.op_type in ("Add", "Div") and any(made_by.op_type in SQUARES for made_by in makers(node)):
            kept.add(node.output[0])
    return kept


def _narrow_attributes(node: Any, precision: str) -> None:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            _narrow(attribute.t, precision)
        elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = NUMBERS[precision]


def _narrow(tensor: Any, precision: str) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        values = numpy_helper.to_array(tensor).clip(-LARGEST_FP16, LARGEST_FP16).astype(TYPES[precision])
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
