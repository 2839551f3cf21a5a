"""Serves BERT-like encoders through CTranslate2's C++ kernels, fp32 and int8; the small head stays in torch."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import NotAvailable
from bench.machine.precision import weight_bits
from bench.types import Availability, Backend, Classifier, EngineSpec

if TYPE_CHECKING:
    from torch import nn

    from backends.shared.batched import BatchedSession

COMPUTE_TYPES = {"fp32": "float32", "int8": "int8_float32"}
VERSIONS = ("ctranslate2", "torch", "transformers")
NO_DECODERS = "CTranslate2 gives its decoders' texts, not their states or option scores; it serves encoders here"


class Ctranslate2Backend(Backend):
    """The eager module with its encoder exchanged for a converted one, kept in the cache."""

    kinds = frozenset({"sequence", "embedding"})
    unserved = {"options": NO_DECODERS, "generate": NO_DECODERS}  # noqa: RUF012 - never changed

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs ctranslate2 and a CPU, on which it computes in fp32 and int8 only."""
        try:
            installed = version("ctranslate2")
        except PackageNotFoundError:
            return Availability(False, reason="ctranslate2 is not installed", remedy="pip install -e '.[ctranslate2]'")
        if device != "cpu":
            return Availability(False, installed, "CTranslate2 runs on CPUs here", "bench run --device cpu")
        if spec.precision not in COMPUTE_TYPES:
            reason = f"on CPUs CTranslate2 computes in fp32 and int8, not {spec.precision}"
            return Availability(False, installed, reason, "choose ctranslate2 or ctranslate2-int8")
        return Availability(True, installed)

    def load(self, classifier: Classifier) -> BatchedSession:
        """Convert, or take the conversion from the cache; raises NotAvailable for another family, or an adapter."""
        from backends.ctranslate2.encoder import exchange_encoder
        from backends.shared.torch_session import load_torch_session

        if "adapter" in classifier.manifest.settings:
            raise NotAvailable("ctranslate2 serves plain models; this classifier's adapter is kept beside its base")
        compute_type = COMPUTE_TYPES[self.spec.precision]
        bits = weight_bits(self.spec)
        folder = self._folder(classifier)

        def convert(module: nn.Module) -> Any:
            return exchange_encoder(module, folder, compute_type, self.threads, bits)

        whole = self.spec.model_copy(update={"precision": "fp32"})  # of the head
        details = {
            "ctranslate2": version("ctranslate2"),
            "compute_type": compute_type,
            "dtype": self.spec.precision,
            "weight_bits": bits,
        }
        session: BatchedSession = load_torch_session(classifier, whole, self.device, self.threads, convert, details)
        converted_bytes = sum(file.stat().st_size for file in folder.iterdir())
        session.info = replace(session.info, precision=self.spec.precision, artifact_bytes=converted_bytes)
        return session

    def _folder(self, classifier: Classifier) -> Path:
        key = [
            classifier.sha256,
            self.spec.precision,
            weight_bits(self.spec),
            {name: version(name) for name in VERSIONS},
        ]
        return self.cache / "ctranslate2" / sha256(json.dumps(key).encode("utf-8")).hexdigest()[:32]
