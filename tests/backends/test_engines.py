"""The engines' names, what is chosen by default, and why an engine cannot run."""

from __future__ import annotations

import subprocess
import sys
import types
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import onnxruntime
import openvino
import pytest
from tiny_classifiers import MAX_LENGTH, network

from backends import torch_compile
from backends.onnx import engine as onnx_runtime
from backends.onnx import export as onnx_export
from backends.onnx import tensorrt as tensorrt_engine
from backends.openvino import engine as openvino_engine
from bench import registry
from bench.errors import NotAvailable
from bench.plan import engines
from bench.types import Availability, Workplace

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
        ("cuda", True, {"eager", "eager-bf16", "unpadded-bf16", "compile-bf16", "onnx", "sklearn"}),
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
        "from bench.plan.engines import load_engines\n"
        "from bench import registry\n"
        "for e in load_engines().values(): registry.find('backend', e.backend).availability(e, 'cpu')\n"
        "heavy = ('torch', 'transformers', 'onnxruntime', 'openvino', 'ctranslate2', 'vllm', 'sklearn')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_bf16_needs_hardware_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.shared.torch_availability.has_fast_bf16", lambda device: False)
    for name in ("eager-bf16", "packed-bf16", "compile-bf16"):
        available = availability(name)
        assert not available.ok
        assert "bf16" in str(available.reason)
        assert available.remedy
    assert availability("eager").ok


def test_compile_needs_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert availability("compile").ok == (torch_compile.find_compiler("cpu") is not None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    available = availability("compile")
    assert not available.ok
    assert "none of g++, clang++" in str(available.reason)
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


def test_onnx_in_16_bits_is_for_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why is measured in tests/backends/test_onnx.py."""
    for name in ("onnx-fp16", "onnx-bf16"):
        assert str(availability(name).reason).startswith("on CPUs ONNX Runtime")
        assert availability(name).remedy
    monkeypatch.setattr(onnx_runtime, "DISTRIBUTIONS", {"cuda": ("onnxruntime",)})
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    assert availability("onnx-fp16", "cuda").ok
    assert availability("onnx-bf16", "cuda").ok


def test_tensorrt_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert availability("tensorrt-fp16").reason == "TensorRT runs on NVIDIA GPUs only"
    assert availability("tensorrt-fp16").remedy == "bench run --device cuda"
    installed = {"onnxruntime-gpu": "1.31.1"}

    def version_of(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(tensorrt_engine, "version", version_of)
    monkeypatch.setattr(onnx_runtime, "version", version_of)
    assert availability("tensorrt-fp16", "cuda").reason == "TensorRT is not installed"
    installed["tensorrt"] = "11.4.0"
    assert availability("tensorrt-fp16", "cuda").reason == "TensorRT 11.4.0 is installed, onnxruntime-gpu wants 10"
    installed["tensorrt"] = "10.14.1"
    assert "has no TensorrtExecutionProvider" in str(availability("tensorrt-fp16", "cuda").reason)
    assert "tensorrt-cu13<11" in str(availability("tensorrt-fp16", "cuda").remedy)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [tensorrt_engine.PROVIDER])
    assert availability("tensorrt-fp16", "cuda").ok
    del installed["onnxruntime-gpu"]
    assert availability("tensorrt-fp16", "cuda").reason == "onnxruntime-gpu is not installed"


def test_tensorrt_builds_one_engine_for_every_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another engine for each larger batch would be built in the middle of a measurement."""
    monkeypatch.setitem(sys.modules, "tensorrt", types.ModuleType("tensorrt"))
    backend = tensorrt_engine.TensorrtBackend(engines.load_engines()["tensorrt-fp16"], Workplace("cuda", 1, tmp_path))
    name, settings = backend.provider(network(tmp_path / "classifier"), tmp_path / "digest" / "model.onnx")
    assert name == "TensorrtExecutionProvider"
    assert settings["trt_profile_min_shapes"] == "input_ids:1x1,attention_mask:1x1"
    assert settings["trt_profile_max_shapes"] == f"input_ids:256x{MAX_LENGTH},attention_mask:256x{MAX_LENGTH}"
    assert Path(settings["trt_engine_cache_path"]) == tmp_path / "tensorrt" / "digest"
    assert Path(settings["trt_engine_cache_path"]).is_dir()


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

    monkeypatch.setattr(openvino_engine, "find_spec", lambda name: None)
    assert availability("openvino").ok
    assert "nncf" in str(availability("openvino-int8").reason)

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(openvino_engine, "version", missing)
    assert availability("openvino").remedy == "pip install -e '.[openvino]'"


def test_openvino_that_fell_back_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenVINO takes a precision as a hint; asked for another one it must not pass for a row of the first."""
    model = onnx_export.export_onnx(network(tmp_path / "classifier"), "fp32", tmp_path / "cache")
    compiled = openvino_engine.compile_for_cpu(model, "fp32", threads=1)
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    compile_model = openvino.Core.compile_model
    monkeypatch.setattr(
        openvino.Core, "compile_model", lambda core, graph, device, settings: compile_model(core, graph, device, FP32)
    )
    with pytest.raises(NotAvailable, match="computes in f32 where bf16 was asked for"):
        openvino_engine.compile_for_cpu(model, "bf16", threads=1)


def test_openvino_int8_needs_texts_to_calibrate_on(tmp_path: Path) -> None:
    backend = registry.find("backend", "openvino")(
        engines.load_engines()["openvino-int8"], Workplace("cpu", 1, tmp_path)
    )
    with pytest.raises(NotAvailable, match="calibrated on training texts"):
        backend.load(network(tmp_path / "classifier"))
