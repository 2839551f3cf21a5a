"""Serves through torch.compile with inductor: frozen weights on a CPU, dynamic shapes, compiled before any query."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backends.shared.torch_availability import torch_availability
from bench.types import Availability, Backend, Classifier, EngineSpec

if TYPE_CHECKING:
    from torch import nn

    from backends.shared.batched import BatchedSession

COMPILERS = {"cpu": ("CXX", "g++", "clang++", "cl"), "cuda": ("CC", "gcc", "clang")}  # inductor's and Triton's
# dynamo makes one graph for a single row and one for more; rows and tokens differ, or it would take them for one number
WARM_UP_SHAPES = ((3, 8), (1, 8))


class CompileBackend(Backend):
    """The eager module, on a CPU with the lean encoder, compiled once for all batch sizes and lengths."""

    kinds = frozenset({"sequence", "embedding", "network", "matching"})

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs torch and a C++ compiler for inductor; on a GPU Triton and a C compiler for it."""
        available = torch_availability(spec, device)
        if not available.ok:
            return available
        if find_compiler(device) is None:
            _, *names = COMPILERS[device]
            reason = f"torch.compile needs a compiler, none of {', '.join(names)} is on the PATH"
            return Availability(False, available.version, reason, f"apt-get install {names[0]}")
        if device != "cpu" and find_spec("triton") is None:
            return Availability(False, available.version, "torch.compile needs Triton on a GPU", "pip install triton")
        return available

    def load(self, classifier: Classifier) -> BatchedSession:
        """Compile for one row and for several; SessionInfo.convert_s has the seconds."""
        use_cache(self.cache)
        freezing = self.device == "cpu" and bool(self.spec.options.get("freezing", True))
        from backends.shared.lean_encoder import lighten
        from backends.shared.torch_session import load_torch_session
        from bench.text.tokens import load_tokenizer

        return load_torch_session(
            classifier,
            self.spec,
            self.device,
            self.threads,
            convert=lambda module: compile_module(
                lighten(module, classifier) if self.device == "cpu" else module,
                self.device,
                freezing,
                load_tokenizer(classifier).pad_id,
            ),
            details={"compiler": find_compiler(self.device), "freezing": freezing, "dynamic_shapes": True},
            recompiles=compilations,
        )


def compile_module(module: nn.Module, device: str, freezing: bool, pad_id: int) -> Any:
    """The compiled module, compiled for every kind of shape it will meet; call it in inference mode.

    freezing: weights become constants, which inductor lays out for oneDNN once. Dynamo would make two graphs more for
    batches of a single token, which an empty text can be: such a batch gets a second column of padding.
    """
    import torch
    from torch.nn.functional import pad

    compiled = torch.compile(module, dynamic=True, options={"freezing": freezing})
    for shape in WARM_UP_SHAPES:
        # two tensors, because dynamo would compile one that is both for that case only
        input_ids, attention_mask = (torch.ones(shape, dtype=torch.int64, device=device) for _ in range(2))
        compiled(input_ids, attention_mask=attention_mask)

    def forward(input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        if input_ids.shape[1] == 1:
            input_ids, attention_mask = pad(input_ids, (0, 1), value=pad_id), pad(attention_mask, (0, 1))
        logits: torch.Tensor = compiled(input_ids, attention_mask=attention_mask)
        return logits

    return forward


def use_cache(cache: Path) -> None:
    """Keep what inductor compiles between processes."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache / "inductor")


def compilations() -> int:
    """Graphs compiled in this process so far."""
    from torch._dynamo.utils import counters

    return int(counters["stats"]["unique_graphs"])


def find_compiler(device: str) -> str | None:
    """The compiler that is called for this device: the one its variable names, else the first usual one on the PATH."""
    variable, *names = COMPILERS[device]
    return next((found for name in (os.environ.get(variable), *names) if name and (found := shutil.which(name))), None)
