"""Chooses a plan's engines from what is known of this machine's speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bench.plan.calibration import (
    REFERENCE,
    Calibration,
    Family,
    choose_defaults,
    families_of,
    is_off,
    read_calibration,
)
from bench.plan.engines import load_engines
from bench.plan.plan import Plan


def plan_families(plan: Plan) -> tuple[Family, ...]:
    """The families of models that a plan trains."""
    return tuple(dict.fromkeys(family for recipe in plan.recipes for family in families_of(recipe)))


def known_calibrations(plan: Plan, cache: Path) -> dict[Family, Calibration]:
    """What earlier runs measured of this machine; nothing is measured now."""
    if is_off() or plan.device != "cpu":
        return {}
    return {family: read_calibration(cache, family, plan.device, plan.threads) for family in plan_families(plan)}


def with_default_engines(plan: Plan, calibrations: Mapping[Family, Calibration]) -> Plan:
    """The plan with the engines that calibrations choose, where nobody named any; as it is where none was measured."""
    chosen: dict[str, tuple[str, ...]] = {
        family: choose_defaults(calibration, plan.few_engines)
        for family, calibration in calibrations.items()
        if calibration.of(REFERENCE)
    }
    if plan.engines_were_chosen:
        return plan
    named = {*(name for names in chosen.values() for name in names), *(engine.name for engine in plan.engines)}
    engines = tuple(engine for engine in load_engines().values() if engine.name in named)
    return replace(plan, engines=engines, family_engines=chosen)
