"""Serves the fp16 export in TensorRT, through ONNX Runtime's provider. Written without a GPU at hand: never run."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from backends.onnx.engine import OnnxBackend, installed_version, providers
from backends.shared.batched import BatchLimits
from bench.types import Availability, Classifier, EngineSpec

PROVIDER = "TensorrtExecutionProvider"
DISTRIBUTIONS = ("tensorrt-cu13", "tensorrt-cu12", "tensorrt")
MAJOR = "10"  # onnxruntime-gpu 1.31 is linked against libnvinfer.so.10
REMEDY = "pip install onnxruntime-gpu 'tensorrt-cu13<11'"


class TensorrtBackend(OnnxBackend):
    """The onnx engine with products compiled by TensorRT; what strays to CUDA or the CPU is refused."""

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:  # noqa: ARG004 - one signature for all backends
        """Needs an NVIDIA GPU, onnxruntime-gpu with its provider, and TensorRT of the major version that wants."""
        if device != "cuda":
            return Availability(False, reason="TensorRT runs on NVIDIA GPUs only", remedy="bench run --device cuda")
        installed = _tensorrt_version()
        if installed is None:
            return Availability(False, reason="TensorRT is not installed", remedy=REMEDY)
        if installed.partition(".")[0] != MAJOR:
            reason = f"TensorRT {installed} is installed, onnxruntime-gpu wants {MAJOR}"
            return Availability(False, installed, reason, REMEDY)
        if installed_version(device) is None:
            return Availability(False, installed, "onnxruntime-gpu is not installed", REMEDY)
        if PROVIDER not in providers():
            return Availability(False, installed, f"this onnxruntime has no {PROVIDER}", REMEDY)
        return Availability(True, installed)

    def provider(self, classifier: Classifier, model: Path) -> tuple[str, Mapping[str, str]]:
        """TensorRT's settings: one engine for all batch sizes and lengths, kept in the cache beside the exports."""
        import tensorrt  # noqa: F401 - loads the libraries that ONNX Runtime's provider is linked against

        limits = BatchLimits.of(self.spec, self.device)
        longest = classifier.manifest.max_length or 512
        kept = self.cache / "tensorrt" / model.parent.name
        kept.mkdir(parents=True, exist_ok=True)
        return PROVIDER, {
            "trt_fp16_enable": "1",
            "trt_layer_norm_fp32_fallback": "1",
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": str(kept),
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": str(kept),
            "trt_profile_min_shapes": _shapes(1, 1),
            "trt_profile_opt_shapes": _shapes(min(64, limits.max_batch), min(64, longest)),
            "trt_profile_max_shapes": _shapes(limits.max_batch, longest),
        }


def _shapes(batch: int, length: int) -> str:
    return ",".join(f"{name}:{batch}x{length}" for name in ("input_ids", "attention_mask"))


def _tensorrt_version() -> str | None:
    for distribution in DISTRIBUTIONS:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None
