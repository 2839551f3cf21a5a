"""Serves transformers on a CPU without transformers' overhead, ready at once: nothing is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends.shared.torch_availability import torch_availability
from bench.errors import NotAvailable
from bench.types import Availability, Backend, Classifier, EngineSpec

if TYPE_CHECKING:
    from torch import nn

    from backends.shared.batched import BatchedSession
    from backends.shared.generation import GenerationSession


class PackedBackend(Backend):
    """The eager module with its body exchanged for one of prepacked oneDNN products."""

    kinds = frozenset({"sequence", "embedding", "options", "generate"})

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs torch with oneDNN, and a CPU."""
        available = torch_availability(spec, "cpu")
        if available.ok and device != "cpu":
            return Availability(False, available.version, "packed computes on CPUs only", "bench run --device cpu")
        return available

    def load(self, classifier: Classifier) -> BatchedSession | GenerationSession:
        """Raises NotAvailable for a model of another family, or a torch without oneDNN."""
        import torch

        if not torch.backends.mkldnn.is_available():
            raise NotAvailable("this torch was built without oneDNN; pip install --force-reinstall torch")
        if "adapter" in classifier.manifest.settings:
            raise NotAvailable("packed serves plain models; this classifier's adapter is kept beside its base")
        if classifier.kind == "generate":
            from backends.packed.linear import pack_linears
            from backends.shared.generation import GenerationSession

            return GenerationSession(classifier, self.spec, self.device, self.threads, pack_linears)
        from backends.shared.torch_session import load_torch_session

        return load_torch_session(
            classifier, self.spec, self.device, self.threads, convert=lambda module: exchange(module, classifier)
        )


def exchange(module: nn.Module, classifier: Classifier) -> nn.Module:
    """Put the packed body or encoder where the module has transformers' own."""
    if classifier.kind == "options" or getattr(module, "pools_last", False):
        from backends.packed.decoder import exchange_body

        return exchange_body(module)
    first_token_only = classifier.kind == "sequence" or classifier.manifest.settings["pooling"] == "cls"
    return exchange_encoder(module, first_token_only)


def exchange_encoder(module: nn.Module, first_token_only: bool) -> nn.Module:
    """Put the packed encoder where the module has its transformers encoder."""
    from backends.packed.bert import PackedEncoder

    owner: Any = getattr(module, "sentence_encoder", None)
    name = "encoder"
    if owner is None:
        owner = module.model
        name = owner.base_model_prefix
    setattr(owner, name, PackedEncoder(getattr(owner, name), first_token_only))
    return module
