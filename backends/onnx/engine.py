"""Serves exported classifiers in ONNX Runtime: fp32, on GPUs fp16 and bf16, on CPUs int8 quantised as it runs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

from backends.onnx.session import PROVIDERS, onnx_forward, open_session, placement
from backends.shared.batched import BatchedSession, BatchLimits, batching_details
from bench.machine.memory import keep_freed_memory
from bench.machine.precision import weight_bits
from bench.text.tokens import load_tokenizer
from bench.types import Availability, Backend, Classifier, EngineSpec, SessionInfo

DISTRIBUTIONS = {"cpu": ("onnxruntime", "onnxruntime-gpu"), "cuda": ("onnxruntime-gpu",)}
# profiled with ONNX Runtime 1.31 on x86; tests/backends/test_onnx.py looks again
ON_CPU = {
    "fp16": "on CPUs ONNX Runtime casts fp16 products to fp32",
    "bf16": "on CPUs ONNX Runtime has no bf16 products",
}
NO_WRITING = "written answers need an engine that keeps keys and values: eager, packed, vllm or an endpoint"


class OnnxBackend(Backend):
    """Exports once per classifier, kept in the cache; what needs keys and values kept between tokens is for others."""

    kinds = frozenset({"sequence", "embedding", "network", "matching", "options"})
    unserved = {"generate": NO_WRITING}  # noqa: RUF012 - never changed

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs onnxruntime, and its GPU build on a GPU; int8 is for CPUs, 16 bits for GPUs."""
        installed = installed_version(device)
        wanted = DISTRIBUTIONS[device][0]
        if installed is None:
            return Availability(False, reason=f"{wanted} is not installed", remedy=f"pip install {wanted}")
        if device == "cpu" and spec.precision in ON_CPU:
            return Availability(False, installed, ON_CPU[spec.precision], "choose onnx, onnx-int8 or openvino-bf16")
        if device != "cpu" and spec.precision == "int8":
            return Availability(False, installed, "int8 is quantised for CPUs", "choose onnx-fp16, or --device cpu")
        if device != "cpu" and PROVIDERS[device] not in providers():
            reason = f"onnxruntime {installed} has no {PROVIDERS[device]}"
            return Availability(False, installed, reason, f"pip uninstall onnxruntime && pip install {wanted}")
        return Availability(True, installed)

    def provider(self, classifier: Classifier, model: Path) -> tuple[str, Mapping[str, str]] | None:  # noqa: ARG002
        """The execution provider and its settings, where it is not the device's own."""
        return None

    def load(self, classifier: Classifier) -> BatchedSession:
        """Export, or take the export from the cache, and open it; raises NotAvailable when the provider falls back."""
        from backends.onnx.export import export_onnx
        from backends.onnx.files import file_bytes

        started = perf_counter()
        bits = weight_bits(self.spec)
        model = export_onnx(classifier, self.spec.precision, self.cache, self.device, bits)
        converted = perf_counter()
        kept = self.device == "cpu" and keep_freed_memory()
        tokenizer = load_tokenizer(classifier)
        session = open_session(model, self.device, self.threads, self.provider(classifier, model))
        limits = BatchLimits.of(self.spec, self.device)
        info = SessionInfo(
            load_s=perf_counter() - converted,
            convert_s=converted - started,
            precision=self.spec.precision,
            device=self.device,
            threads=self.threads,
            artifact_bytes=file_bytes(model),
            details={
                "onnxruntime": installed_version(self.device),
                "providers": session.get_providers(),
                "nodes": {name: operators.total() for name, operators in placement(session).items()},
                "dtype": self.spec.precision,
                "quantisation": "dynamic, per channel" if bits else None,
                "weight_bits": bits,
                "keeps_freed_memory": kept,
                **batching_details(limits),
            },
        )
        forward = onnx_forward(session, self.device)
        return BatchedSession(tokenizer, forward, limits, info, len(classifier.class_names))


def installed_version(device: str) -> str | None:
    """The version of the build for this device, None without one."""
    for distribution in DISTRIBUTIONS[device]:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def providers() -> list[str]:
    """The execution providers this build has; their libraries may still be missing."""
    import onnxruntime

    return list(onnxruntime.get_available_providers())
