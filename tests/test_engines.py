"""The engines' names, what is chosen by default, and why an engine cannot run; exports to ONNX."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import onnxruntime
import openvino
import pytest
import torch
from tiny_classifiers import network, sequence_bert
from torch import Tensor, nn

from backends import onnx_export, onnx_runtime, onnx_session, openvino_engine, torch_compile
from bench import engines, registry
from bench.errors import NotAvailable
from bench.tokens import load_tokenizer
from bench.types import Availability

FP32 = {"INFERENCE_PRECISION_HINT": "f32"}


def availability(name: str, device: str = "cpu") -> Availability:
    spec = engines.load_engines()[name]
    available: Availability = registry.find("backend", spec.backend).availability(spec, device)
    return available


def test_every_engine_names_a_registered_backend() -> None:
    """The faulty backend is the self-test's alone."""
    assert {engine.backend for engine in engines.load_engines().values()} == set(registry.BACKENDS) - {"faulty"}


@pytest.mark.parametrize(
    ("device", "bf16", "expected"),
    [
        ("cpu", True, {"eager", "packed-bf16", "onnx-int8", "sklearn"}),
        ("cpu", False, {"eager", "packed", "onnx-int8", "sklearn"}),
        ("cuda", True, {"eager", "eager-bf16", "compile-bf16", "onnx", "sklearn"}),
        ("cuda", False, {"eager", "compile", "onnx", "sklearn"}),
    ],
)
def test_the_default_suits_the_machine(
    device: str, bf16: bool, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "has_fast_bf16", lambda device: bf16)
    chosen = engines.default_engines(device)
    assert set(chosen) == expected
    assert set(chosen) <= set(engines.load_engines())
    assert chosen[0] == "eager"


def test_asking_what_can_run_loads_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "from bench.engines import load_engines\n"
        "from bench import registry\n"
        "for e in load_engines().values(): registry.find('backend', e.backend).availability(e, 'cpu')\n"
        "heavy = ('torch', 'transformers', 'onnxruntime', 'openvino', 'vllm', 'sklearn')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_bf16_needs_hardware_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.torch_availability.has_fast_bf16", lambda device: False)
    for name in ("eager-bf16", "packed-bf16", "compile-bf16"):
        available = availability(name)
        assert not available.ok
        assert "bf16" in str(available.reason)
        assert available.remedy
    assert availability("eager").ok


def test_compile_needs_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert availability("compile").ok == (torch_compile.find_compiler() is not None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    available = availability("compile")
    assert not available.ok
    assert "C++ compiler" in str(available.reason)
    assert available.remedy == "apt-get install g++"


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_runtime, "DISTRIBUTIONS", {"cpu": ("no-such-distribution",)})
    available = availability("onnx")
    assert (available.ok, available.remedy) == (False, "pip install no-such-distribution")


def test_onnx_on_a_gpu_needs_the_gpu_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_runtime, "DISTRIBUTIONS", {"cuda": ("onnxruntime",)})
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    available = availability("onnx", "cuda")
    assert not available.ok
    assert "CUDAExecutionProvider" in str(available.reason)
    assert not availability("onnx-int8", "cuda").ok


def test_packed_is_for_cpus() -> None:
    available = availability("packed", "cuda")
    assert not available.ok
    assert available.reason == "packed computes on CPUs only"


def test_openvino_is_for_cpus_and_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert availability("openvino").ok
    assert availability("openvino", "cuda").reason == "OpenVINO runs on CPUs here"
    monkeypatch.setattr(openvino_engine, "has_fast_bf16", lambda device: False)
    assert availability("openvino").ok
    assert "bf16" in str(availability("openvino-bf16").reason)

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(openvino_engine, "version", missing)
    assert availability("openvino").remedy == "pip install -e '.[openvino]'"


def test_openvino_that_fell_back_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO takes a precision as a hint; asked for another one it must not pass for a row of the first."""
    model = onnx_export.exported(network(tmp_path / "classifier"), "fp32", tmp_path / "cache")
    compiled = openvino_engine.compile_for_cpu(model, "fp32", threads=1)
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    compile_model = openvino.Core.compile_model
    monkeypatch.setattr(
        openvino.Core, "compile_model", lambda core, graph, device, settings: compile_model(core, graph, device, FP32)
    )
    with pytest.raises(NotAvailable, match="computes in f32 where bf16 was asked for"):
        openvino_engine.compile_for_cpu(model, "bf16", threads=1)


# ---------------------------------------------------------------- ONNX


def test_a_provider_that_fell_back_is_an_error(tmp_path: Path) -> None:
    """A session that was asked for CUDA and got the CPU must not pass for a GPU row."""
    model = onnx_export.exported(network(tmp_path / "classifier"), "fp32", tmp_path / "cache")
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    onnx_session.check_provider(session.get_providers(), "cpu")
    with pytest.raises(NotAvailable, match="fell back from CUDAExecutionProvider to CPUExecutionProvider"):
        onnx_session.check_provider(session.get_providers(), "cuda")
    with pytest.raises(NotAvailable, match="no provider"):
        onnx_session.check_provider([], "cpu")


def test_an_export_is_made_once_and_for_this_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, cache = sequence_bert(tmp_path / "first"), tmp_path / "cache"
    model = onnx_export.exported(first, "fp32", cache)
    small = onnx_export.exported(first, "int8", cache)
    assert small != model
    assert small.stat().st_size < model.stat().st_size

    def fail(*arguments: object) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr(onnx_export, "_export", fail)
    assert onnx_export.exported(first, "fp32", cache) == model
    assert onnx_export.exported(first, "int8", cache) == small
    with pytest.raises(AssertionError, match="exported again"):
        onnx_export.exported(network(tmp_path / "second"), "fp32", cache)
    assert [file.name for file in cache.rglob("*") if file.name.startswith(".")] == []


def test_int8_weights_have_a_scale_for_each_channel(tmp_path: Path) -> None:
    import onnx

    graph = onnx.load(onnx_export.exported(sequence_bert(tmp_path / "c"), "int8", tmp_path / "cache")).graph
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
        onnx_export.export_checked(module, tokenizer, tmp_path / "model.onnx")


def test_an_export_takes_any_batch_and_length(tmp_path: Path) -> None:
    classifier = sequence_bert(tmp_path / "classifier")
    model = onnx_export.exported(classifier, "fp32", tmp_path / "cache")
    forward = onnx_session.onnx_forward(onnx_session.open_session(model, "cpu", threads=1))
    generator = np.random.default_rng(0)
    module = onnx_export.load_module(classifier)
    for shape in ((1, 1), (1, 24), (9, 3)):
        ids = generator.integers(1, 80, shape)
        mask = np.ones_like(ids)
        with torch.inference_mode():
            expected = module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        np.testing.assert_allclose(forward(ids, mask), expected, atol=1e-4)
