"""The rows that no other row beats on quality and speed at once."""

from __future__ import annotations

from collections.abc import Mapping

from bench.results import Result
from bench.types import Scenario
from reports.rows import TaskRows
from reports.speed import usable

_SCENARIOS: tuple[Scenario, ...] = ("offline", "single")


def pareto_rows(task: TaskRows) -> frozenset[str]:
    """Cell ids of the rows that keep their classifier's answers and that no such row of the same machine dominates.

    A row is dominated by one with at least its macro F1 and its rate, and more of one of them. The rate is that of the
    first scenario that every such row has, offline before single.
    """
    points = _points(task)
    return frozenset(
        name
        for name, point in points.items()
        if not any(_dominates(other, point) for key, other in points.items() if key != name)
    )


def _points(task: TaskRows) -> Mapping[str, tuple[str | None, float, float]]:
    """Machine, macro F1 and rate of every row that can stand on the line."""
    rows = [row for _, row in task.cells() if row.quality and row.parity and row.parity.passed]
    for scenario in _SCENARIOS:
        points = {
            row.cell.id: (row.cell.machine, row.quality.macro_f1.value, summary.rate_rps)
            for row in rows
            if row.quality and (summary := usable(row, scenario))
        }
        if points:
            return points
    return {}


def _dominates(other: tuple[str | None, float, float], point: tuple[str | None, float, float]) -> bool:
    same_machine = other[0] == point[0]
    return same_machine and other[1] >= point[1] and other[2] >= point[2] and other[1:] != point[1:]


def rate_of(row: Result) -> float | None:
    """The rate by which a row is bought: offline where it was measured, else single."""
    summaries = [summary for scenario in _SCENARIOS if (summary := usable(row, scenario))]
    return summaries[0].rate_rps if summaries else None
