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


def default_engines(device: str) -> tuple[str, ...]:
    """What `bench run` measures when nobody chooses.

    torch.compile is left out on a CPU: it compiles for about half a minute per classifier, and the packed engine is faster
    there (benchmarks/engines.md); on a GPU the packed engine does not run.
    """
    if device != "cpu":
        return ("eager", "eager-bf16", "compile-bf16", "onnx", "sklearn")
    bf16 = ("eager-bf16", "packed-bf16") if has_fast_bf16(device) else ("packed",)
    return ("eager", *bf16, "onnx", "onnx-int8", "sklearn")
