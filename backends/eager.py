"""Hugging Face modules as they are: the reference in fp32, and the same in bf16."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from backends.torch_availability import torch_availability
from bench.types import Availability, Classifier, EngineSpec

if TYPE_CHECKING:
    from backends.batched import BatchedSession
    from backends.generation import GenerationSession


class EagerBackend:
    """One kernel after the other, with transformers' own choice of attention."""

    kinds: frozenset[str] = frozenset({"sequence", "embedding", "network", "options", "generate"})

    def __init__(self, spec: EngineSpec, device: str, threads: int, cache: Path) -> None:
        self.spec = spec
        self.device = device
        self.threads = threads
        self.cache = cache

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs torch; bf16 needs hardware that multiplies it."""
        return torch_availability(spec, device)

    def load(self, classifier: Classifier) -> BatchedSession | GenerationSession:
        """The classifier's module on the device, at the engine's precision."""
        from backends.torch_session import load_torch_session

        if classifier.kind == "generate":
            from backends.generation import GenerationSession

            return GenerationSession(classifier, self.spec, self.device, self.threads)
        return load_torch_session(classifier, self.spec, self.device, self.threads, lambda module: module)
