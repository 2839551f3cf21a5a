"""ONNX Runtime on exported classifiers: fp32, and int8 quantised as it runs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter

from backends.batched import BatchedSession, BatchLimits, batching_details
from backends.onnx_session import PROVIDERS, onnx_forward, open_session
from bench.memory import keep_freed_memory
from bench.tokens import load_tokenizer
from bench.types import Availability, Classifier, EngineSpec, SessionInfo

DISTRIBUTIONS = {"cpu": ("onnxruntime", "onnxruntime-gpu"), "cuda": ("onnxruntime-gpu",)}


class OnnxBackend:
    """Exports once per classifier, kept in the cache; decoders are left to engines with a cache for keys and values."""

    kinds: frozenset[str] = frozenset({"sequence", "embedding", "network"})

    def __init__(self, spec: EngineSpec, device: str, threads: int, cache: Path) -> None:
        self.spec = spec
        self.device = device
        self.threads = threads
        self.cache = cache

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs onnxruntime, and its GPU build on a GPU; int8 is for CPUs."""
        installed = _installed_version(device)
        wanted = DISTRIBUTIONS[device][0]
        if installed is None:
            return Availability(False, reason=f"{wanted} is not installed", remedy=f"pip install {wanted}")
        if device != "cpu" and spec.precision == "int8":
            return Availability(False, installed, "int8 is quantised for CPUs", "choose onnx, or --device cpu")
        if device != "cpu" and PROVIDERS[device] not in _providers():
            reason = f"onnxruntime {installed} has no {PROVIDERS[device]}"
            return Availability(False, installed, reason, f"pip uninstall onnxruntime && pip install {wanted}")
        return Availability(True, installed)

    def load(self, classifier: Classifier) -> BatchedSession:
        """Export, or take the export from the cache, and open it; raises NotAvailable when the provider falls back."""
        from backends.onnx_export import exported

        started = perf_counter()
        model = exported(classifier, self.spec.precision, self.cache)
        converted = perf_counter()
        kept = self.device == "cpu" and keep_freed_memory()
        tokenizer = load_tokenizer(classifier)
        session = open_session(model, self.device, self.threads)
        limits = BatchLimits.of(self.spec)
        info = SessionInfo(
            load_s=perf_counter() - converted,
            convert_s=converted - started,
            precision=self.spec.precision,
            device=self.device,
            threads=self.threads,
            artifact_bytes=sum(file.stat().st_size for file in model.parent.iterdir()),
            details={
                "onnxruntime": _installed_version(self.device),
                "providers": session.get_providers(),
                "dtype": self.spec.precision,
                "quantisation": "dynamic, per channel" if self.spec.precision == "int8" else None,
                "keeps_freed_memory": kept,
                **batching_details(limits),
            },
        )
        return BatchedSession(tokenizer, onnx_forward(session), limits, info, len(classifier.class_names))


def _installed_version(device: str) -> str | None:
    for distribution in DISTRIBUTIONS[device]:
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def _providers() -> list[str]:
    import onnxruntime

    return list(onnxruntime.get_available_providers())
