"""Serves Hugging Face modules as they are: the reference in fp32, and the same in bf16."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from backends.shared.torch_availability import torch_availability
from bench.types import Availability, Backend, Classifier, EngineSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from backends.shared.batched import BatchedSession
    from backends.shared.generation import GenerationSession
    from bench.classifiers.adapters import SwitchedAdapters


class EagerBackend(Backend):
    """One kernel after the other, with transformers' own choice of attention."""

    kinds = frozenset({"sequence", "embedding", "network", "matching", "options", "generate"})

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs torch; bf16 needs hardware that multiplies it."""
        return torch_availability(spec, device)

    def load(self, classifier: Classifier) -> BatchedSession | GenerationSession:
        """The classifier's module on the device, at the engine's precision."""
        from backends.shared.torch_session import load_torch_session

        if classifier.kind == "generate":
            from backends.shared.generation import GenerationSession

            return GenerationSession(classifier, self.spec, self.device, self.threads)
        return load_torch_session(classifier, self.spec, self.device, self.threads, lambda module: module)

    def load_together(self, classifiers: Sequence[Classifier]) -> Sequence[BatchedSession | GenerationSession]:
        """One session a classifier, all on one base model in memory; their adapters are exchanged as they are asked.

        Classifiers of the same base model, adapter settings and number of classes alone share one.
        """
        if len(classifiers) == 1:
            return [self.load(classifier) for classifier in classifiers]
        from backends.shared.torch_session import load_torch_session
        from bench.classifiers.modules import load_switched

        switched = load_switched(classifiers)
        return [
            load_torch_session(
                classifier,
                self.spec,
                self.device,
                self.threads,
                partial(_view, switched, number),
                details={"adapters_on_one_base": len(classifiers)},
                module=switched.module,
            )
            for number, classifier in enumerate(classifiers)
        ]


def _view(switched: SwitchedAdapters, number: int, _module: nn.Module) -> Callable[..., Tensor]:
    return switched.view(number)
