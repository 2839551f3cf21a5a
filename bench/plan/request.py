"""Says what a run is asked for."""

from __future__ import annotations

from pathlib import Path

from bench.data.reading import AS_IT_IS, Reading
from bench.plan.prompts import OwnPrompts
from bench.types import ModelSet, Record, Scenario, WeightsChoice

SCENARIOS: tuple[Scenario, ...] = ("single", "offline", "server")
DEFAULT_SCENARIOS: tuple[Scenario, ...] = ("single", "offline")


class RunRequest(Record):
    """The choices of `bench run`; None means the default for this machine and this data."""

    suites: tuple[str, ...] = ()
    data: Path | None = None
    reading: Reading = AS_IT_IS
    methods: tuple[str, ...] | None = None
    recipes: Path | None = None
    settings: tuple[str, ...] = ()
    study: str | None = None
    prompts: OwnPrompts = OwnPrompts()
    engines: tuple[str, ...] | None = None
    engines_file: Path | None = None
    endpoint: str | None = None
    endpoint_model: str | None = None
    endpoint_key_env: str | None = None
    concurrency: int | None = None
    scenarios: tuple[str, ...] = DEFAULT_SCENARIOS
    p99_limit_ms: float | None = None
    models: ModelSet | None = None
    weights: WeightsChoice = "trained"
    tier: str | None = None
    seeds: int | None = None
    limit: int | None = None
    device: str | None = None
    threads: int | None = None
    price_per_hour: float | None = None
    out: Path | None = None
    cell_limit_s: float | None = None
    retry: bool = False
    autotune: bool = False
    recalibrate: bool = False
    budget_s: float | None = None
