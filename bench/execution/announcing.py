"""Says at a run's start what it will do and about how long it takes, and at its end what became of that."""

from __future__ import annotations

from collections.abc import Sequence

from bench.execution.context import Context
from bench.execution.schedule import Step, shown_budget
from bench.plan.estimate import REPORT_S, shown_s

LISTED = 12


def announce_work(context: Context) -> None:
    """Print what there is to do, before anything takes time."""
    plan = context.plan
    tasks, recipes = (", ".join(names) for names in ([task.data.name for task in plan.tasks], _recipes(context)))
    seeds = f", {plan.seeds} seeds each" if plan.seeds > 1 else ""
    budget = f", within {shown_budget(plan.budget_s)}" if plan.budget_s else ""
    context.console.line(f"{tasks}: {recipes}{seeds}; tier {_tiers(context)}, {plan.threads} threads{budget}")


def _recipes(context: Context) -> list[str]:
    names = [recipe.id for recipe in context.plan.recipes]
    return names if len(names) <= LISTED else [*names[:LISTED], f"{len(names) - LISTED} more"]


def _tiers(context: Context) -> str:
    return ", ".join(dict.fromkeys(task.tier.name for task in context.plan.tasks))


def announce_time(context: Context, steps: Sequence[Step]) -> float | None:
    """Print how long it takes and what does not fit; returns the whole command's seconds, None where unknown.

    What does not fit is not in them.
    """
    console = context.console
    known = [step for step in steps if step.estimate is not None]
    unfit = _unfit(known, context.budget.left_s)
    rows = sum(len(step.estimate.serve_s) for step in known if step.estimate and step not in unfit)
    unknown = ", ".join(step.name for step in steps if step.estimate is None)
    if unknown:
        console.line(f"how long these take cannot be told: {unknown}")
    if not known:
        return None
    fitting_s = sum(step.expected_s for step in known if step not in unfit)
    expected_s = context.budget.elapsed_s + fitting_s + REPORT_S
    order = ", ".join(f"{step.name} {shown_s(step.expected_s)}" for step in known[:LISTED])
    if len(known) > LISTED:
        order += f", {len(known) - LISTED} more"
    console.line(f"{rows} results in about {shown_s(expected_s)}, without downloads; cheap ones first: {order}")
    if unfit:
        console.line(f"no room in --budget for: {', '.join(step.name for step in unfit)}")
    return expected_s


def conclude(context: Context, expected_s: float | None) -> None:
    """Print what the run took beside what was expected of it; the report still comes."""
    expected = "" if expected_s is None else f"; {shown_s(expected_s)} were expected with the report"
    context.console.line(f"measured all in {shown_s(context.budget.elapsed_s)}{expected}")


def _unfit(steps: Sequence[Step], left_s: float | None) -> list[Step]:
    """The steps beyond the time left, as they come one after the other."""
    unfit, spent_s = [], 0.0
    for step in steps:
        if left_s is not None and spent_s + step.expected_s > left_s:
            unfit.append(step)
        else:
            spent_s += step.expected_s
    return unfit
