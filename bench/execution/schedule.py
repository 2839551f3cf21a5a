"""Orders a run, cheap classifiers first, and says what of it still fits into the time that the user gives."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.plan.calibration import Calibration, Family
from bench.plan.estimate import REPORT_S, Estimate, estimate, shown_s
from bench.plan.plan import Plan, TaskPlan
from bench.types import Recipe

WIDEST_CORRECTION = 3.0
SHORTEST_JOB_S = 1.0


@dataclass(frozen=True)
class Step:
    """One classifier of the run; `estimate` is None where nobody can foretell its time.

    engines: those that a shard measures of it, by name; None for all. key: what its rows are known by in a store.
    """

    task: TaskPlan
    recipe: Recipe
    seed: int
    estimate: Estimate | None
    engines: frozenset[str] | None = None
    key: str | None = None

    @property
    def name(self) -> str:
        seed = f" s{self.seed}" if self.seed else ""
        return f"{self.task.data.name} {self.recipe.id}{seed}"

    @property
    def expected_s(self) -> float:
        return self.estimate.total_s if self.estimate else 0.0


def steps_of(plan: Plan, calibrations: Mapping[Family, Calibration]) -> list[Step]:
    """Every classifier of the plan, by its expected seconds; those that nobody can foretell come last, as planned."""
    steps = [
        Step(task, recipe, seed, estimate(plan, task, recipe, calibrations))
        for task in plan.tasks
        for recipe in plan.recipes
        for seed in range(plan.seeds)
    ]
    return sorted(steps, key=lambda step: (step.estimate is None, step.expected_s))


@dataclass
class Budget:
    """The time that a run may take, and how wrong its estimates have been so far.

    `budget_s` None: all the time there is. `started` is a time.monotonic(), that of the command's start.
    """

    budget_s: float | None = None
    started: float = field(default_factory=time.monotonic)
    _expected_s: float = 0.0
    _took_s: float = 0.0

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    @property
    def left_s(self) -> float | None:
        """Seconds left for jobs: the report's are kept back."""
        return None if self.budget_s is None else self.budget_s - REPORT_S - self.elapsed_s

    @property
    def correction(self) -> float:
        """What the finished work took for each second that was expected of it."""
        if not self._expected_s:
            return 1.0
        return min(WIDEST_CORRECTION, max(1 / WIDEST_CORRECTION, self._took_s / self._expected_s))

    def learn(self, expected_s: float, took_s: float) -> None:
        """Finished work corrects what is expected of the rest."""
        if expected_s:
            self._expected_s += expected_s
            self._took_s += took_s

    def why_not(self, expected_s: float) -> str | None:
        """Why work of so many expected seconds is left out; None where it fits, or nobody knows."""
        left_s = self.left_s
        if left_s is None or (left_s > SHORTEST_JOB_S and expected_s * self.correction <= left_s):
            return None
        needs = f"it takes about {shown_s(expected_s * self.correction)}, " if expected_s else ""
        return f"does not fit into --budget {shown_budget(self.budget_s)}: {needs}{max(0.0, left_s):.0f} s were left"

    def job_limit_s(self, limit_s: float) -> float:
        """A job's time limit, cut where the time given ends before it."""
        return limit_s if self.left_s is None else max(SHORTEST_JOB_S, min(limit_s, self.left_s))

    def used_up(self) -> str:
        """Why a job was stopped in its middle."""
        return f"stopped in its middle when --budget {shown_budget(self.budget_s)} was used up"


def shown_budget(seconds: float | None) -> str:
    """As the user wrote it: "10m", "90s", "1.5h"."""
    seconds = seconds or 0.0
    if seconds >= 3600:
        return f"{seconds / 3600:g}h"
    return f"{seconds / 60:g}m" if seconds >= 60 and seconds % 30 == 0 else f"{seconds:g}s"
