"""Forms a task's possible cascades: a quick classifier answers, a better one what the first is unsure of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from bench.quality.cascades import Handover, cascade, cascade_p99_ms, cascade_rate, choose_handover, common, handed_on
from bench.quality.scores import measure_quality
from bench.results.records import Answers, Interval, Result
from bench.results.speed_records import QUERIES_FOR
from bench.types import Scenario
from reports.content.members import Member, members_by_machine
from reports.content.results import TaskResults
from reports.content.speed import median_run, usable


@dataclass(frozen=True)
class Cascade:
    """Two results of one machine; share: of the test texts, handed on to the second. Rates in 1/s, seconds a text."""

    first: Member
    second: Member
    handover: Handover
    share: float
    answers: Answers
    macro_f1: Interval
    accuracy: Interval
    rate_rps: float
    rate_low_rps: float
    rate_high_rps: float

    @property
    def name(self) -> str:
        return f"{self.first.name} > {self.second.name}"

    @property
    def scenario(self) -> Scenario:
        return self.first.load.scenario

    @property
    def expected_rps(self) -> float:
        """The rate at the share that validation hands on, to choose by."""
        return cascade_rate(self.first.load.rate_rps, self.second.load.rate_rps, self.handover.share)


def cascades_of(task: TaskResults) -> list[Cascade]:
    """One cascade a pair of classifiers whose validation answers are stored, in each machine's fastest results.

    Rates are those of the first scenario that any result has, offline before single.
    """
    if "cascades" not in task.counted:
        task.counted["cascades"] = list(_cascades(task))
    found: list[Cascade] = task.counted["cascades"]
    return found


def best_cascade(task: TaskResults) -> Cascade | None:
    """The one of the highest macro F1 on validation; of equals the faster one there. Test has no part in the choice."""
    found = cascades_of(task)
    return max(found, key=lambda each: (each.handover.macro_f1, each.expected_rps), default=None)


def _cascades(task: TaskResults) -> Iterator[Cascade]:
    for members in members_by_machine(task):
        for first, second in permutations(members, 2):
            if first.load.rate_rps > second.load.rate_rps and (found := _cascade(task, first, second)):
                yield found


def _cascade(task: TaskResults, first: Member, second: Member) -> Cascade | None:
    names, k = (first.result.cell.id, second.result.cell.id), len(task.data.class_names)
    handover = choose_handover(task.validation[names[0]], task.validation[names[1]], k)
    if handover is None or not set(names) <= set(task.answers):
        return None
    one, other = common(task.answers[names[0]], task.answers[names[1]])
    if not len(one.ids):
        return None
    answers = cascade(one, other, handover.threshold)
    quality, share = measure_quality(answers, task.data.class_names), handed_on(one, handover.threshold)
    rates = [
        cascade_rate(getattr(first.load, name), getattr(second.load, name), share)
        for name in ("rate_rps", "rate_low_rps", "rate_high_rps")
    ]
    return Cascade(first, second, handover, share, answers, quality.macro_f1, quality.accuracy, *rates)


def latencies_of(found: Cascade, read: Callable[[str], np.ndarray]) -> tuple[float, float | None] | None:
    """Mean and p99 in milliseconds, one request at a time, from raw latencies; p99 None where queries are too few.

    None where a result was not measured so, or its raw latencies are gone.
    """
    raw = [_latencies_ns(member.result, read) for member in (found.first, found.second)]
    if any(each is None or not len(each) for each in raw):
        return None
    one, other = (each for each in raw if each is not None)
    mean_ms = float(one.mean() + found.share * other.mean()) / 1e6
    enough = min(len(one), len(other)) >= QUERIES_FOR[99.0]
    return mean_ms, cascade_p99_ms(one, other, found.share) if enough else None


def _latencies_ns(result: Result, read: Callable[[str], np.ndarray]) -> np.ndarray | None:
    summary = usable(result, "single")
    run = median_run(summary) if summary else None
    return read(run.latencies_file) if run and run.latencies_file else None
