"""Measures how fast this machine trains and which engines are fast on it: some seconds, once a machine."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace

from bench.execution.calibration_jobs import PrepareTask, SpeedTask, measure_speed, prepare
from bench.execution.context import Context
from bench.plan.calibration import (
    CANDIDATES,
    FEW_CANDIDATES,
    REFERENCE,
    Calibration,
    EngineSpeed,
    Family,
    calibration_path,
    describe,
    is_off,
    read_calibration,
    store_calibration,
)
from bench.plan.defaults import plan_families, with_default_engines
from bench.plan.engines import backend_of, load_engines
from bench.results.records import Status
from bench.types import (
    ClassifierKind,
)

LIMIT_S = 120.0
KINDS: dict[Family, ClassifierKind] = {"encoder": "sequence", "decoder": "options", "network": "network"}


def settle_engines(context: Context) -> tuple[Context, dict[Family, Calibration]]:
    """The run with this machine's default engines where none was named, and what is known of the machine's speed.

    On a GPU, and with BENCH_CALIBRATION=off, the defaults are those of bench/plan/engines.py, and no time is foretold.
    """
    plan = context.plan
    families = plan_families(plan)
    if is_off() or plan.device != "cpu":
        return context, {}
    if plan.engines_were_chosen:
        return context, {family: _calibrate(context, family, ()) for family in families}
    found = {family: _calibrate(context, family, _candidates(family, plan.few_engines)) for family in families}
    settled = with_default_engines(plan, found)
    for family, calibration in found.items():
        if family in settled.family_engines and len(calibration.speeds) > 1:
            context.console.line(f"engines for {describe(calibration, settled.family_engines[family])}")
    return replace(context, plan=settled), found


def _candidates(family: Family, few: bool) -> tuple[str, ...]:
    """Where few are wanted no second one for networks from scratch, which answer thousands of texts a second."""
    if not few:
        return CANDIDATES
    return () if family == "network" else FEW_CANDIDATES


def _calibrate(context: Context, family: Family, candidates: Sequence[str]) -> Calibration:
    plan = context.plan
    known = read_calibration(context.cache, family, plan.device, plan.threads)
    if plan.recalibrate:
        known = Calibration(family=family)
    wanted = [name for name in (REFERENCE, *candidates) if known.of(name) is None]
    missing = [name for name in wanted if _may_run(name, family, plan.device)]
    if not missing:
        return known
    folder = calibration_path(context.cache, family, plan.device, plan.threads).with_suffix("")
    task = PrepareTask(family, folder, plan.device, plan.threads, context.cache)
    prepared = context.run(f"calibrating: {family}", prepare, task, LIMIT_S, f"calibration.{family}", alone=True)
    if prepared.status is not Status.OK:
        context.console.line(f"calibration of {family}s: {prepared.reason}")
        return known
    measured = [_measure(context, task, name) for name in missing]
    shutil.rmtree(folder, ignore_errors=True)
    found = Calibration(
        family=family,
        fit_tokens_per_s=prepared.payload or known.fit_tokens_per_s,
        prepare_s=prepared.wall_s,
        speeds=(*known.speeds, *(speed for speed in measured if speed is not None)),
    )
    store_calibration(context.cache, found, plan.device, plan.threads)
    return found


def _may_run(name: str, family: Family, device: str) -> bool:
    """Whether the engine is installed, runs here and serves such classifiers at all."""
    engine = load_engines()[name]
    backend = backend_of(engine)
    return KINDS[family] in backend.kinds and bool(backend.availability(engine, device).ok)


def _measure(context: Context, prepared: PrepareTask, name: str) -> EngineSpeed | None:
    """None where time ran out: that says nothing of the engine, and another run looks again."""
    engine = load_engines()[name]
    task = SpeedTask(prepared, engine)
    title = f"calibrating: {prepared.family}s with {name}"
    outcome = context.run(title, measure_speed, task, LIMIT_S, f"calibration.{prepared.family}.{name}", alone=True)
    if outcome.status is Status.OK:
        speed: EngineSpeed = outcome.payload
        return speed.model_copy(update={"wall_s": outcome.wall_s})
    if outcome.status is Status.TIMEOUT or outcome.over_budget:
        return None
    reason = f"{outcome.status.lower()}: {outcome.reason}"
    return EngineSpeed(engine=name, precision=engine.precision, wall_s=outcome.wall_s, reason=reason)
