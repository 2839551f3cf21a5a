"""Finds what cascades and ensembles are computed from: each classifier's fastest result with validation answers."""

from __future__ import annotations

from dataclasses import dataclass

from bench.results.records import Result
from bench.results.speed_records import LoadSummary
from bench.types import Scenario
from reports.content.results import Group, TaskResults
from reports.content.speed import ranked

_SCENARIOS: tuple[Scenario, ...] = ("offline", "single")


@dataclass(frozen=True)
class Member:
    """A result of a computed one and its measured rate."""

    group: Group
    result: Result
    load: LoadSummary

    @property
    def name(self) -> str:
        return f"{self.group.name}/{self.result.cell.engine}"


def members_by_machine(task: TaskResults) -> list[list[Member]]:
    """One result a classifier whose validation answers are stored, the fastest, a list a machine.

    Rates are those of the first scenario that any result has, offline before single.
    """
    results = [
        (group, result) for group, result in task.cells() if result.keeps_answers and result.cell.id in task.validation
    ]
    scenario = next((name for name in _SCENARIOS if any(ranked(result, name) for _, result in results)), None)
    if scenario is None:
        return []
    machines = dict.fromkeys(result.cell.machine for _, result in results)
    return [
        _fastest([(group, result) for group, result in results if result.cell.machine == machine], scenario)
        for machine in machines
    ]


def _fastest(results: list[tuple[Group, Result]], scenario: Scenario) -> list[Member]:
    """One result a classifier."""
    fastest: dict[str, Member] = {}
    for group, result in results:
        load = ranked(result, scenario)
        known = fastest.get(group.name)
        if load and (known is None or load.rate_rps > known.load.rate_rps):
            fastest[group.name] = Member(group, result, load)
    return list(fastest.values())
