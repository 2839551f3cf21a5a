"""Lists what a plan is made of, trainings and cells, with what each needs, waits for and takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from bench.models.base import model_for
from bench.plan.calibration import Calibration, Family, family_of
from bench.plan.engines import backend_of, reference_engine
from bench.plan.estimate import Estimate, estimate, kind_of
from bench.plan.keys import content_hash
from bench.plan.plan import Plan, TaskPlan
from bench.types import EngineSpec, Recipe, Record


class Needs(Record):
    """What an item takes of a machine.

    memory_gb: as its recipe names it, of the machine or of its GPU; None where the recipe names none.
    whole_machine: whether its seconds are a figure of the leaderboard, so that nothing may run beside it.
    """

    device: str
    memory_gb: float | None
    whole_machine: bool


class Item(Record):
    """One training or cell of a plan.

    key: a content hash of all that decides it and is known before anything is fetched or trained; after: the keys of
    what must be done before. expected_s: None where nobody can tell. engine: None for a training.
    """

    kind: Literal["training", "cell"]
    key: str
    task: str
    recipe: str
    seed: int
    engine: str | None
    needs: Needs
    after: tuple[str, ...]
    expected_s: float | None

    @property
    def name(self) -> str:
        """As a person calls it."""
        return f"{self.task} {self.recipe} s{self.seed} {self.engine or 'training'}"


def work_items(plan: Plan, calibrations: Mapping[Family, Calibration]) -> list[Item]:
    """Every training, each followed by its cells, the reference engine's first, which the others are compared with."""
    return [
        item
        for task in plan.tasks
        for recipe in plan.recipes
        for seed in range(plan.seeds)
        for item in _items_of(plan, task, recipe, seed, estimate(plan, task, recipe, calibrations))
    ]


def _items_of(plan: Plan, task: TaskPlan, recipe: Recipe, seed: int, expected: Estimate | None) -> Iterator[Item]:
    training = Item(
        kind="training",
        key=_key(plan, task, recipe, seed, None),
        task=task.data.name,
        recipe=recipe.id,
        seed=seed,
        engine=None,
        needs=Needs(device=plan.device, memory_gb=_memory_gb(recipe), whole_machine=True),
        after=(),
        expected_s=expected.fit_s if expected else None,
    )
    yield training
    reference: Item | None = None
    for engine, listed in _served_by(plan, recipe):
        cell = training.model_copy(
            update={
                "kind": "cell",
                "key": _key(plan, task, recipe, seed, engine),
                "engine": engine.name,
                "needs": training.needs.model_copy(update={"whole_machine": listed}),
                "after": (training.key, *([reference.key] if reference else [])),
                "expected_s": expected.serve_s.get(engine.name) if expected else None,
            }
        )
        if engine.reference:
            reference = cell
        yield cell


def _served_by(plan: Plan, recipe: Recipe) -> Iterator[tuple[EngineSpec, bool]]:
    """The engines of a classifier and whether their speed is measured: a reference nobody asked for only answers."""
    kind = kind_of(recipe)
    reference = reference_engine(kind)
    chosen = plan.engines_of(family_of(kind, recipe))
    if reference is not None:
        yield reference, reference in chosen
    for engine in chosen:
        serves = kind in backend_of(engine).kinds and backend_of(engine).availability(engine, plan.device).ok
        if engine != reference and serves:
            yield engine, True


def _memory_gb(recipe: Recipe) -> float | None:
    found = re.search(r"(\d+) GB", recipe.needs or "")
    return float(found[1]) if found else None


def _key(plan: Plan, task: TaskPlan, recipe: Recipe, seed: int, engine: EngineSpec | None) -> str:
    base = recipe.base_model or (recipe.role and model_for(recipe.role, task.data.language, plan.models))
    training = [task.data.fingerprint, recipe.model_dump(), base, seed, plan.device, plan.threads]
    measuring = engine and [engine.model_dump(), task.tier.model_dump(), plan.scenarios, plan.autotune]
    return content_hash([training, measuring])
