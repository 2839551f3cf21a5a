"""The engines of the command line: named settings of a backend, and which of them suit this machine. Loads no torch."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from bench.precision import has_fast_bf16
from bench.types import EngineSpec

ENGINES_TOML = Path(__file__).with_name("engines.toml")


@cache
def load_engines() -> dict[str, EngineSpec]:
    """Every engine by its name, in the order of engines.toml."""
    content = tomllib.loads(ENGINES_TOML.read_text(encoding="utf-8"))
    return {name: EngineSpec(name=name, **settings) for name, settings in content.items()}


def default_engines(device: str, few: bool = False) -> tuple[str, ...]:
    """What `bench run` measures when nobody chooses: the references, and on each device what was fastest there.

    `few` leaves the references and the fastest. torch.compile is left out on a CPU: it compiles for about half a minute
    per classifier, and the packed engine is faster (benchmarks/engines.md); the packed engine does not run on a GPU.
    """
    bf16 = has_fast_bf16(device)
    if device != "cpu":
        fast = ("eager-bf16", "compile-bf16") if bf16 else ("compile",)
        return ("eager", *fast[:1], "sklearn") if few else ("eager", *fast, "onnx", "sklearn")
    packed = "packed-bf16" if bf16 else "packed"
    return ("eager", packed, "sklearn") if few else ("eager", packed, "onnx-int8", "sklearn")
