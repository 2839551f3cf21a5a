"""Reads the engines of the command line: named settings of a backend, and which of them suit this machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bench import registry
from bench.errors import UsageError
from bench.files.toml import check_fields, read_toml, read_users_toml
from bench.machine.precision import has_fast_bf16, weight_bits
from bench.types import Backend, ClassifierKind, EngineSpec

DEVICES = ("cpu", "cuda")  # an option of this name is a table of options for the device
ENGINES_TOML = Path(__file__).with_name("engines.toml")


@cache
def load_engines() -> dict[str, EngineSpec]:
    """Every engine by its name, in the order of engines.toml."""
    content = read_toml(ENGINES_TOML)
    return {name: EngineSpec(name=name, **settings) for name, settings in content.items()}


def read_engines(file: Path) -> dict[str, EngineSpec]:
    """The engines of a user's TOML file; raises UsageError that names the file, the engine and the key."""
    content = read_users_toml(file, "--backends-file")
    if not content:
        raise UsageError(f"--backends-file {file} holds no engine; one table each, as in bench/plan/engines.toml")
    return {name: _of_user(file, name, fields) for name, fields in content.items()}


def _of_user(file: Path, name: str, fields: Any) -> EngineSpec:
    if not isinstance(fields, dict):
        raise UsageError(f"--backends-file {file}: '{name}' is no table; write [{name}] and its keys below")
    if fields.get("reference"):
        raise UsageError(f"--backends-file {file}: engine '{name}': the reference engines are the harness's own")
    fields = {"title": name, "precision": "unstated", **fields, "name": name}
    engine = check_fields(EngineSpec, fields, f"--backends-file {file}: engine '{name}'")
    weight_bits(engine)  # raises for a wrong option now, not after an hour of training
    return engine


def backend_of(engine: EngineSpec) -> type[Backend]:
    """The class behind an engine; raises UsageError for a backend that nobody registered."""
    return registry.find("backend", engine.backend)


def reference_engine(kind: ClassifierKind) -> EngineSpec | None:
    """The engine whose answers the others are certified against; None for classifiers without weights here."""
    serving = (engine for engine in load_engines().values() if engine.reference)
    return next((engine for engine in serving if kind in backend_of(engine).kinds), None)


def with_options(engine: EngineSpec, device: str, options: Mapping[str, Any]) -> EngineSpec:
    """The engine with other options, which count on the device whatever its table for the device says."""
    own = {name: value for name, value in engine.options.items() if name not in DEVICES}
    return engine.model_copy(update={"options": {**own, **engine.options.get(device, {}), **options}})


def default_engines(device: str, few: bool = False) -> tuple[str, ...]:
    """What `bench run` measures when nobody chooses: the references, and on each device what was fastest there.

    `few` leaves the references and the fastest. torch.compile is left out on a CPU: it compiles for about half a minute
    per classifier, and the packed engine is faster (benchmarks/engines.md); the packed engine does not run on a GPU.
    """
    bf16 = has_fast_bf16(device)
    if device != "cpu":
        fast = ("eager-bf16", "unpadded-bf16", "compile-bf16") if bf16 else ("compile",)
        return ("eager", *fast[:1], "sklearn") if few else ("eager", *fast, "onnx", "sklearn")
    packed = "packed-bf16" if bf16 else "packed"
    return ("eager", packed, "sklearn") if few else ("eager", packed, "onnx-int8", "sklearn")
