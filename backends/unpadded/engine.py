"""Serves transformers without padding: tokens of a batch one after the other, attention that knows the texts.

Made for GPUs. On a CPU the same code computes attention text by text, which keeps it checked on every machine.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from backends.shared.torch_availability import torch_availability
from bench.errors import NotAvailable
from bench.types import Availability, Backend, Classifier, EngineSpec

if TYPE_CHECKING:
    from backends.unpadded.session import UnpaddedSession

OLDEST_TORCH = (2, 11)  # varlen_attn with a scale and a window


class UnpaddedBackend(Backend):
    """BERT-like encoders, Llama-like decoders; option `compile`: compiled layers, CUDA graphs for single texts."""

    kinds = frozenset({"sequence", "embedding", "options"})

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs torch; on a GPU bf16, a torch with varlen_attn, and what torch.compile needs where it compiles."""
        if spec.options.get("compile"):
            from backends.torch_compile import CompileBackend

            available = CompileBackend.availability(spec, device)
        else:
            available = torch_availability(spec, device)
        if not available.ok or device == "cpu":
            return available
        installed = version("torch")
        if tuple(map(int, installed.split(".")[:2])) < OLDEST_TORCH:
            return Availability(False, installed, "attention without padding needs torch 2.11", "pip install -U torch")
        if spec.precision != "bf16":
            return Availability(
                False, installed, "attention without padding computes bf16 only", "choose a bf16 engine"
            )
        return available

    def load(self, classifier: Classifier) -> UnpaddedSession:
        """Raises NotAvailable for other families of models, adapters beside a base, or answers of several tokens."""
        if "adapter" in classifier.manifest.settings:
            raise NotAvailable("unpadded serves plain models; this classifier's adapter is kept beside its base")
        from backends.unpadded.session import load_unpadded

        return load_unpadded(classifier, self.spec, self.device, self.threads, self.cache)
