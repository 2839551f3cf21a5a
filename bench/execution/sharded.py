"""Makes one plan of what many workers of a run would plan, and take this worker's part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bench.errors import NotComparable
from bench.execution.calibrate import settle_engines
from bench.execution.context import Context
from bench.execution.schedule import Step
from bench.execution.sharing import Sharing
from bench.machine.environment import describe_environment, hardware_fingerprint, package_versions
from bench.plan.calibration import Calibration, Family
from bench.plan.defaults import with_default_engines
from bench.plan.import_graph import source_digest
from bench.plan.keys import content_hash, measuring_modules, training_modules
from bench.plan.plan import Plan
from bench.plan.shards import Shard, divide
from bench.plan.work import Item, work_items
from bench.results.selftest import last_selftest


def settle_shared_engines(context: Context, sharing: Sharing) -> tuple[Context, dict[Family, Calibration], list[Item]]:
    """The engines, calibrations and items of the run, as its first worker settled them for all.

    Raises NotComparable on a machine, with versions or with code that are not those of the first worker.
    """
    name, here = request_hash(context.plan), identity_of(context.plan)
    with sharing.turn(f"plan-{name}", "planning"):
        known = sharing.pinned(name)
        if known is None:
            settled, calibrations = settle_engines(context)
            known = sharing.pin(name, _pinned(settled.plan, calibrations, here))
    _refuse_others(known["identity"], here, sharing.store.root)
    plan, found, items = as_pinned(context.plan, known)
    return replace(context, plan=plan), found, items


def as_pinned(plan: Plan, known: dict[str, Any]) -> tuple[Plan, dict[Family, Calibration], list[Item]]:
    """A plan with the engines, and the calibrations and items, that a run's first worker settled."""
    found: dict[Family, Calibration] = {
        calibration.family: calibration for calibration in map(Calibration.model_validate, known["calibrations"])
    }
    settled = with_default_engines(plan, found) if found else plan
    return settled, found, [Item.model_validate(item) for item in known["items"]]


def request_hash(plan: Plan) -> str:
    """Equal for the workers of one run, whatever their machines."""
    engines = [engine.model_dump() for engine in plan.engines] if plan.engines_were_chosen else "defaults"
    tasks = [[task.data.fingerprint, task.tier.model_dump()] for task in plan.tasks]
    recipes = [recipe.model_dump() for recipe in plan.recipes]
    return content_hash([tasks, recipes, engines, plan.scenarios, plan.models, plan.seeds, plan.limit])[:16]


def _pinned(plan: Plan, calibrations: dict[Family, Calibration], identity: dict[str, Any]) -> dict[str, Any]:
    return {
        "identity": identity,
        "environment": describe_environment(plan.device, plan.threads) | {"selftest": last_selftest()},
        "calibrations": [calibration.model_dump(mode="json") for calibration in calibrations.values()],
        "items": [item.model_dump(mode="json") for item in work_items(plan, calibrations)],
    }


def identity_of(plan: Plan) -> dict[str, Any]:
    """What must be alike on all machines of a run: their results stand in one table and share classifiers."""
    modules = [name for recipe in plan.recipes for name in training_modules(recipe)]
    modules += [name for engine in plan.engines for name in measuring_modules(engine)]
    return {
        "hardware": hardware_fingerprint(),
        "device": plan.device,
        "threads": plan.threads,
        "packages": package_versions(),
        "code": source_digest(tuple(dict.fromkeys(modules))),
    }


def _refuse_others(first: dict[str, Any], here: dict[str, Any], root: str) -> None:
    differing = [name for name in here if first.get(name) != here[name]]
    if not differing:
        return
    shown = [_difference(name, first.get(name), here[name]) for name in differing]
    raise NotComparable(
        f"the run in {root} began elsewhere with other {'; '.join(shown)}: one run is of one kind of machine and "
        "software; give this one a --store and --out of its own, and join the two with `bench merge`"
    )


def _difference(name: str, first: Any, here: Any) -> str:
    if isinstance(first, dict) and isinstance(here, dict):
        changed = [key for key in sorted({*first, *here}) if first.get(key) != here.get(key)]
        return f"{name} ({', '.join(f'{key} {first.get(key)}, here {here.get(key)}' for key in changed[:3])})"
    return name if name in ("hardware", "code") else f"{name} ({first}, here {here})"


def refuse_unlike(driver: dict[str, Any], plan: Plan) -> None:
    """Raises NotComparable for a node whose code or packages are not those of the driver, which sends the work."""
    here = identity_of(plan)
    differing = [_difference(name, driver[name], here[name]) for name in driver if driver[name] != here[name]]
    if differing:
        raise NotComparable(
            f"this node has other {'; '.join(differing)} than the driver: install the same on every node, and the "
            "same harness"
        )


def steps_of_shard(steps: Sequence[Step], items: Sequence[Item], shard: Shard) -> list[Step]:
    """A shard's classifiers in the order in which it takes them, each with the engines it measures."""
    step_of = {(step.task.data.name, step.recipe.id, step.seed): step for step in steps}
    part = divide(items, shard.count)[shard.index - 1]
    return [replace(step_of[piece.classifier], engines=piece.engines) for piece in part]
