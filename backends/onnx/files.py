"""Writes ONNX graphs of any size, their weights beside them where protobuf ends, and quantises them to int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.machine.precision import WeightBits

WEIGHTS = "model.onnx.data"
LARGEST_PROTOBUF_BYTES = 1_900_000_000  # protobuf ends at 2 GiB; what shape inference adds has to fit too


def file_bytes(model: Path) -> int:
    """Bytes of a model's folder: graph and weights."""
    return sum(file.stat().st_size for file in model.parent.iterdir() if file.is_file())


def collect_weights(model: Path) -> None:
    """Put the weights of a large model into one file beside it, in place of those that torch scattered or inlined."""
    if file_bytes(model) <= LARGEST_PROTOBUF_BYTES:
        return
    import onnx

    content = onnx.load(model)
    for file in model.parent.iterdir():
        file.unlink()
    save(content, model, beside=True)


def save(content: Any, target: Path, beside: bool) -> None:
    """Write a model, with `beside` its weights into one file beside the graph."""
    import onnx

    if beside:
        onnx.save_model(content, target, save_as_external_data=True, all_tensors_to_one_file=True, location=WEIGHTS)
    else:
        onnx.save_model(content, target)


def quantise(model: Path, target: Path, bits: WeightBits) -> None:
    """Weights of the matrix products to int8, one scale per output channel; activations are quantised as they come.

    With 7 bits the weights reach from -64 to 64.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        model,
        target,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        reduce_range=bits == 7,
        use_external_data_format=file_bytes(model) > LARGEST_PROTOBUF_BYTES,
    )
