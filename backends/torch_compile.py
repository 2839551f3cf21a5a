"""torch.compile with inductor: frozen weights on a CPU, dynamic shapes, compiled before the first query."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.torch_availability import torch_availability
from bench.types import Availability, Classifier, EngineSpec

if TYPE_CHECKING:
    from torch import nn

    from backends.batched import BatchedSession

COMPILERS = ("g++", "clang++", "cl")
# dynamo makes one graph for a single row and one for more; rows and tokens differ, or it would take them for one number
WARM_UP_SHAPES = ((3, 8), (1, 8))


class CompileBackend:
    """The eager module compiled once for all batch sizes and lengths."""

    kinds: frozenset[str] = frozenset({"sequence", "embedding", "network"})

    def __init__(self, spec: EngineSpec, device: str, threads: int, cache: Path) -> None:
        self.spec = spec
        self.device = device
        self.threads = threads
        self.cache = cache

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs torch, a C++ compiler for inductor, and Triton on a GPU."""
        available = torch_availability(spec, device)
        if not available.ok:
            return available
        if find_compiler() is None:
            reason = "torch.compile needs a C++ compiler, none of g++, clang++ is on the PATH"
            return Availability(False, available.version, reason, "apt-get install g++")
        if device != "cpu" and find_spec("triton") is None:
            return Availability(False, available.version, "torch.compile needs Triton on a GPU", "pip install triton")
        return available

    def load(self, classifier: Classifier) -> BatchedSession:
        """Compile for one row and for several; SessionInfo.convert_s has the seconds."""
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(self.cache / "inductor")
        from backends.torch_session import load_torch_session

        return load_torch_session(
            classifier,
            self.spec,
            self.device,
            self.threads,
            convert=lambda module: compile_module(module, self.device),
            details={"compiler": find_compiler(), "freezing": self.device == "cpu", "dynamic_shapes": True},
            recompiles=compilations,
        )


def compile_module(module: nn.Module, device: str) -> Any:
    """The compiled module, compiled for every kind of shape it will meet; call it in inference mode."""
    import torch

    compiled = torch.compile(module, dynamic=True, options={"freezing": device == "cpu"})
    for shape in WARM_UP_SHAPES:
        # two tensors, because dynamo would compile one that is both for that case only
        input_ids, attention_mask = (torch.ones(shape, dtype=torch.int64, device=device) for _ in range(2))
        compiled(input_ids, attention_mask=attention_mask)
    return compiled


def compilations() -> int:
    """Graphs compiled in this process so far."""
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def find_compiler() -> str | None:
    """The C++ compiler inductor will call: CXX, else the first of the usual names on the PATH."""
    names = (os.environ.get("CXX"), *COMPILERS)
    return next((found for name in names if name and (found := shutil.which(name))), None)
