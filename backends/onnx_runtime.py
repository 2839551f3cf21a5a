"""ONNX Runtime on exported classifiers: fp32, and int8 quantised as it runs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from backends.batched import BatchedSession, BatchLimits, Forward, batching_details
from bench.errors import NotAvailable
from bench.memory import keep_freed_memory
from bench.tokens import load_tokenizer
from bench.types import Availability, Classifier, EngineSpec, SessionInfo

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
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


def open_session(model: Path, device: str, threads: int) -> Any:
    """An InferenceSession on the device's provider, with `threads` threads inside an operator and one operator at a time."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = list(dict.fromkeys((PROVIDERS[device], PROVIDERS["cpu"])))
    session = onnxruntime.InferenceSession(str(model), options, providers=providers)
    check_provider(session.get_providers(), device)
    return session


def check_provider(providers: list[str], device: str) -> None:
    """Raise NotAvailable when the session does not run where it was asked to; ONNX Runtime itself only logs that."""
    wanted = PROVIDERS[device]
    if not providers or providers[0] != wanted:
        got = providers[0] if providers else "no provider"
        raise NotAvailable(f"onnxruntime fell back from {wanted} to {got}; check its CUDA and cuDNN libraries")


def onnx_forward(session: Any) -> Forward:
    """Numpy in, numpy out."""
    names = [node.name for node in session.get_inputs()]

    def forward(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
        feeds = {"input_ids": input_ids, "attention_mask": attention_mask}
        logits: np.ndarray = session.run(["logits"], {name: feeds[name] for name in names})[0]
        return logits

    return forward


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
