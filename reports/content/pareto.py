"""Finds the results of a task that no other result of the same machine beats on quality and speed at once."""

from __future__ import annotations

from collections.abc import Sequence

from bench.results.records import Result
from bench.types import Scenario
from reports.content.results import TaskResults
from reports.content.speed import ranked

_SCENARIOS: tuple[Scenario, ...] = ("offline", "single")


def pareto_cells(task: TaskResults) -> frozenset[str]:
    """Cell ids of the results that keep their classifier's answers and stand on their machine's line.

    The rate is that of the first scenario which any such result has, offline before single.
    """
    results = [result for _, result in task.cells() if result.quality and result.keeps_answers]
    scenario = next((name for name in _SCENARIOS if any(ranked(result, name) for result in results)), None)
    if scenario is None:
        return frozenset()
    found: set[str] = set()
    for machine in {result.cell.machine for result in results}:
        points = _points([result for result in results if result.cell.machine == machine], scenario)
        names = list(points)
        found.update(names[position] for position in pareto_front(list(points.values())))
    return frozenset(found)


def _points(results: list[Result], scenario: Scenario) -> dict[str, tuple[float, float]]:
    """Macro F1 and rate of every result whose rate can be believed and held against others."""
    return {
        result.cell.id: (result.quality.macro_f1.value, summary.rate_rps)
        for result in results
        if result.quality and (summary := ranked(result, scenario))
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
