"""Exports to ONNX: equal to the module or refused, in every precision and of any size; and where they run."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from tiny_classifiers import network, options_llama, options_qwen3, sequence_bert, sequence_qwen3, tiny_texts
from torch import Tensor, nn

from backends.onnx import export as onnx_export
from backends.onnx import files as onnx_files
from backends.onnx import precision as onnx_precision
from backends.onnx import session as onnx_session
from backends.openvino import engine as openvino_engine
from bench import registry
from bench.errors import NotAvailable
from bench.plan.engines import load_engines
from bench.text.batching import pad
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, Workplace

pytestmark = pytest.mark.kernels

TEXTS = tiny_texts(20)


def batch(classifier: Classifier) -> tuple[np.ndarray, np.ndarray]:
    """Ids and mask of texts of different lengths."""
    tokenizer = load_tokenizer(classifier)
    return pad(tokenizer.encode(TEXTS).ids, np.arange(len(TEXTS)), tokenizer.pad_id)


def test_a_provider_that_fell_back_is_an_error(tmp_path: Path) -> None:
    """A session that was asked for CUDA and got the CPU must not pass for a GPU row."""
    model = onnx_export.export_onnx(network(tmp_path / "classifier"), "fp32", tmp_path / "cache")
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    onnx_session.check_provider(session.get_providers(), "CPUExecutionProvider")
    with pytest.raises(NotAvailable, match="fell back from CUDAExecutionProvider to CPUExecutionProvider"):
        onnx_session.check_provider(session.get_providers(), "CUDAExecutionProvider")
    with pytest.raises(NotAvailable, match="no provider"):
        onnx_session.check_provider([], "CPUExecutionProvider")


def test_an_export_is_made_once_and_for_this_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, cache = sequence_bert(tmp_path / "first"), tmp_path / "cache"
    model = onnx_export.export_onnx(first, "fp32", cache)
    small = onnx_export.export_onnx(first, "int8", cache)
    assert small != model
    assert small.stat().st_size < model.stat().st_size

    def fail(*arguments: object) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr(onnx_export, "export", fail)
    assert onnx_export.export_onnx(first, "fp32", cache) == model
    assert onnx_export.export_onnx(first, "int8", cache) == small
    with pytest.raises(AssertionError, match="exported again"):
        onnx_export.export_onnx(network(tmp_path / "second"), "fp32", cache)
    assert [file.name for file in cache.rglob("*") if file.name.startswith(".")] == []


def test_int8_weights_have_a_scale_for_each_channel(tmp_path: Path) -> None:
    graph = onnx.load(onnx_export.export_onnx(sequence_bert(tmp_path / "c"), "int8", tmp_path / "cache")).graph
    scales = [tensor for tensor in graph.initializer if tensor.name.endswith("_scale")]
    assert scales
    assert all(len(tensor.dims) == 1 and tensor.dims[0] > 1 for tensor in scales)


class LengthBlind(nn.Module):
    """What tracing cannot see: a branch on the batch."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        sums = (input_ids * attention_mask).sum(dim=1, keepdim=True).float()
        return torch.cat([sums, -sums], dim=1) if input_ids.shape[0] == 2 else torch.cat([-sums, sums], dim=1)


class Unexportable(nn.Module):
    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return torch.linalg.eigvals(torch.eye(3) * input_ids.sum()).real[None]


@pytest.mark.parametrize(("module", "reason"), [(LengthBlind(), "differs"), (Unexportable(), "cannot export")])
def test_an_export_that_is_not_equal_is_refused(module: nn.Module, reason: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(network(tmp_path / "classifier"))
    with pytest.raises(NotAvailable, match=reason):
        onnx_export.export_checked(module, module, tokenizer, tmp_path / "model.onnx")


def test_an_export_takes_any_batch_and_length(tmp_path: Path) -> None:
    classifier = sequence_bert(tmp_path / "classifier")
    model = onnx_export.export_onnx(classifier, "fp32", tmp_path / "cache")
    forward = onnx_session.onnx_forward(onnx_session.open_session(model, "cpu", threads=1))
    generator = np.random.default_rng(0)
    module = onnx_export.load_module(classifier)
    for shape in ((1, 1), (1, 24), (9, 3)):
        ids = generator.integers(1, 80, shape)
        mask = np.ones_like(ids)
        with torch.inference_mode():
            expected = module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        np.testing.assert_allclose(forward(ids, mask), expected, atol=1e-4)


# ---------------------------------------------------------------- large files


@pytest.mark.parametrize("name", ["onnx", "onnx-int8"])
def test_weights_too_large_for_one_file_stand_beside_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = sequence_qwen3(tmp_path / "classifier")

    def answers(cache: Path) -> np.ndarray:
        spec = load_engines()[name]
        session = registry.find("backend", "onnx")(spec, Workplace("cpu", 1, cache)).load(classifier)
        assert session.info.artifact_bytes == sum(file.stat().st_size for file in files(cache, name))
        probabilities: np.ndarray = session.predict(TEXTS).probabilities
        return probabilities

    def files(cache: Path, name: str) -> list[Path]:
        precision = load_engines()[name].precision
        return sorted(onnx_export.export_onnx(classifier, precision, cache).parent.iterdir())

    inside = answers(tmp_path / "inside")
    assert [file.name for file in files(tmp_path / "inside", name)] == ["model.onnx"]
    monkeypatch.setattr(onnx_files, "LARGEST_PROTOBUF_BYTES", 10_000)
    beside = answers(tmp_path / "beside")
    graph, weights = files(tmp_path / "beside", name)
    assert (graph.name, weights.name) == ("model.onnx", "model.onnx.data")
    assert weights.stat().st_size > 10_000
    np.testing.assert_array_equal(beside, inside)


# ---------------------------------------------------------------- 16 bits


def profiled(operator: str, number: int, folder: Path) -> list[tuple[str, list[str]]]:
    """The kernels ONNX Runtime runs on the CPU for one node of a type, and the types they read."""
    value = [helper.make_tensor_value_info(name, number, [4, 4]) for name in ("a", "b", "y")]
    graph = helper.make_graph([helper.make_node(operator, ["a", "b"], ["y"])], "one", value[:2], value[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    one = onnxruntime.OrtValue.ortvalue_from_numpy(np.ones((4, 4), dtype=np.float16))
    session.run_with_ort_values(["y"], {"a": one, "b": one})
    events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    kernels = [event["args"] for event in events if event.get("cat") == "Node" and "kernel_time" in event["name"]]
    return [(kernel["op_name"], [*kernel["input_type_shape"][0]]) for kernel in kernels]


def test_onnx_runtime_has_no_16_bit_products_on_cpus(tmp_path: Path) -> None:
    """What the engines refuse for: should this fail one day, they can be offered on CPUs."""
    assert ("MatMul", ["float"]) in profiled("MatMul", TensorProto.FLOAT16, tmp_path)
    with pytest.raises(Exception, match="Could not find an implementation for MatMul"):
        profiled("MatMul", TensorProto.BFLOAT16, tmp_path)


@pytest.mark.parametrize("make", [sequence_bert, sequence_qwen3, options_llama, options_qwen3])
def test_an_fp16_export_computes_in_fp16_and_answers_alike(make: Any, tmp_path: Path) -> None:
    """ONNX Runtime casts its products to fp32 here, which the graph and its rounding of all else survive."""
    classifier = make(tmp_path / "classifier")
    model = onnx_export.export_onnx(classifier, "fp16", tmp_path / "cache")
    assert weight_types(model) == {TensorProto.FLOAT16}
    logits = onnx_session.onnx_forward(onnx_session.open_session(model, "cpu", threads=1))(*batch(classifier))
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected_logits(classifier), atol=0.05, rtol=0.02)


@pytest.mark.parametrize("make", [sequence_bert, sequence_qwen3, options_llama])
def test_a_bf16_export_is_right_and_refused_on_cpus(make: Any, tmp_path: Path) -> None:
    """OpenVINO reads and computes it; ONNX Runtime has no kernel for it here."""
    classifier = make(tmp_path / "classifier")
    whole = onnx_export.export_onnx(classifier, "fp32", tmp_path / "cache")
    onnx_precision.to_16_bits(whole, tmp_path / "model.onnx", "bf16")
    ids, mask = batch(classifier)
    assert weight_types(tmp_path / "model.onnx") == {TensorProto.BFLOAT16}
    compiled = openvino_engine.compile_for_cpu(tmp_path / "model.onnx", "fp32", threads=1)
    logits = openvino_engine.openvino_forward(compiled)(ids, mask)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected_logits(classifier), atol=0.3, rtol=0.1)
    with pytest.raises(NotAvailable, match=r"cannot run this model on CPU.*Could not find an implementation"):
        onnx_export.export_onnx(classifier, "bf16", tmp_path / "cache")


def weight_types(model: Path) -> set[int]:
    """Element types of the matrices in an ONNX file; tables of positions and of branches are integers."""
    integers = {TensorProto.INT64, TensorProto.BOOL}
    return {
        tensor.data_type
        for tensor in onnx.load(model).graph.initializer
        if len(tensor.dims) == 2 and tensor.data_type not in integers
    }


def expected_logits(classifier: Classifier) -> np.ndarray:
    with torch.inference_mode():
        logits: np.ndarray = onnx_export.load_module(classifier)(*map(torch.from_numpy, batch(classifier))).numpy()
    return logits


# ---------------------------------------------------------------- where it runs


def test_bound_buffers_give_the_same_answers(tmp_path: Path) -> None:
    """The way that GPUs take, with buffers bound in the CPU's memory."""
    classifier = sequence_bert(tmp_path / "classifier")
    model = onnx_export.export_onnx(classifier, "fp32", tmp_path / "cache")
    session = onnx_session.open_session(model, "cpu", threads=1)
    names = [node.name for node in session.get_inputs()]
    bound = onnx_session.bound_forward(session, names, "cpu")
    ids, mask = batch(classifier)
    plain = onnx_session.onnx_forward(session)
    for rows, length in ((20, ids.shape[1]), (1, 3), (5, 7)):
        inputs = np.ascontiguousarray(ids[:rows, :length]), np.ascontiguousarray(mask[:rows, :length])
        np.testing.assert_array_equal(bound(*inputs), plain(*inputs))


def test_the_row_knows_where_every_node_runs(tmp_path: Path) -> None:
    classifier = sequence_qwen3(tmp_path / "classifier")
    session = registry.find("backend", "onnx")(load_engines()["onnx"], Workplace("cpu", 1, tmp_path / "cache")).load(
        classifier
    )
    nodes = session.info.details["nodes"]
    assert list(nodes) == ["CPUExecutionProvider"]
    assert nodes["CPUExecutionProvider"] > 50


def test_products_that_strayed_to_the_cpu_are_an_error(tmp_path: Path) -> None:
    """As on a GPU whose provider lacks a kernel; arithmetic on shapes belongs on the CPU."""
    gpu = Counter(MatMul=40, Add=30)
    onnx_session.check_placement(
        {"CUDAExecutionProvider": gpu, "CPUExecutionProvider": Counter(Shape=9)}, "CUDAExecutionProvider"
    )
    with pytest.raises(NotAvailable, match="put 2 MatMul on CPUExecutionProvider instead of CUDAExecutionProvider"):
        onnx_session.check_placement({"CPUExecutionProvider": Counter(MatMul=2, Shape=9)}, "CUDAExecutionProvider")
    model = onnx_export.export_onnx(sequence_qwen3(tmp_path / "classifier"), "fp32", tmp_path / "cache")
    placed = onnx_session.placement(onnx_session.open_session(model, "cpu", threads=1))
    with pytest.raises(NotAvailable, match="MatMul on CPUExecutionProvider"):
        onnx_session.check_placement(placed, "CUDAExecutionProvider")
