"""Finds the rows of a task that no other row of the same machine beats on quality and speed at once."""

from __future__ import annotations

from collections.abc import Sequence

from bench.results.records import Result
from bench.types import Scenario
from reports.content.rows import TaskRows
from reports.content.speed import ranked

_SCENARIOS: tuple[Scenario, ...] = ("offline", "single")


def pareto_rows(task: TaskRows) -> frozenset[str]:
    """Cell ids of the rows that keep their classifier's answers and stand on their machine's line.

    The rate is that of the first scenario which any such row has, offline before single.
    """
    rows = [row for _, row in task.cells() if row.quality and row.keeps_answers]
    scenario = next((name for name in _SCENARIOS if any(ranked(row, name) for row in rows)), None)
    if scenario is None:
        return frozenset()
    found: set[str] = set()
    for machine in {row.cell.machine for row in rows}:
        points = _points([row for row in rows if row.cell.machine == machine], scenario)
        names = list(points)
        found.update(names[position] for position in pareto_front(list(points.values())))
    return frozenset(found)


def _points(rows: list[Result], scenario: Scenario) -> dict[str, tuple[float, float]]:
    """Macro F1 and rate of every row whose rate can be believed and held against others."""
    return {
        row.cell.id: (row.quality.macro_f1.value, summary.rate_rps)
        for row in rows
        if row.quality and (summary := ranked(row, scenario))
    }


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Positions of the points (x, y) that no other point reaches in x and y and passes in one, by falling x.

    More is better in both; of equal points the first stands for all.
    """
    order = sorted(range(len(points)), key=lambda position: (-points[position][0], -points[position][1], position))
    front: list[int] = []
    best = float("-inf")
    for position in order:
        if points[position][1] > best:
            front.append(position)
            best = points[position][1]
    return front
