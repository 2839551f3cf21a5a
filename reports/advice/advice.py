"""Chooses the result to deploy: the demands, the intervals and the paired tests put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.errors import unknown_name
from bench.quality.ranking import paired_difference
from bench.quality.selective import automate_differently
from bench.results.demands import Demands, OwnLengths
from bench.results.evidence import evidence_of
from bench.results.records import Interval, StoredRun
from bench.types import DataCard
from reports.advice.candidates import Candidate, candidates_of
from reports.advice.cascades import Offer, offer_of
from reports.content.results import TaskResults, tasks_of
from reports.content.standing import Standing, standing_of

Rule = Literal["cheapest", "best", "automated"]
SIGNIFICANT = 0.05
FIRST_VOLUME = 2.0  # nobody has fewer texts: below it, one result is the cheaper one from the start


@dataclass(frozen=True)
class BreakEven:
    """The number of texts from which `first` costs less than `second`, training included.

    `texts` is None where one of the two is cheaper at any volume: `first` where `always`, else `second`; with a
    number, `first` is the cheaper one beyond it where `beyond`, else below it. Nothing of that holds unless `apart`:
    the ranges of the two rates do not overlap.
    """

    first: str
    second: str
    texts: float | None
    always: bool
    beyond: bool
    apart: bool


@dataclass(frozen=True)
class Rivalry:
    """The chosen result against the runner-up: `f1` is the paired difference of macro F1, chosen minus runner-up.

    `faster` is the ratio of the rates; `rates_apart` whether their ranges are.
    """

    f1: Interval
    p_adjusted: float
    f1_apart: bool
    faster: float | None
    rates_apart: bool


@dataclass(frozen=True)
class Advice:
    """What to deploy for one task, or what comes nearest; `candidates` are all of them, in the order of the rule."""

    data: DataCard
    demands: Demands
    rule: Rule
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None
    runner_up: Candidate | None
    rivalry: Rivalry | None
    break_evens: tuple[BreakEven, ...]
    between: BreakEven | None
    seeds: int
    own_texts: int | None
    excluded: tuple[str, ...]
    offer: Offer | None = None

    @property
    def sure(self) -> bool:
        """Whether every demand on the chosen result is met by the whole of its interval."""
        return self.chosen is not None and all(check.fate == "met" for check in self.chosen.checks)


def advise(
    run: StoredRun, demands: Demands, lengths: OwnLengths | None = None, between: tuple[str, str] | None = None
) -> tuple[Advice, ...]:
    """One advice a task of the run; raises UsageError when `between` names a result that no task has."""
    tasks = tasks_of(run)
    if between is not None:
        _refuse_unknown(tasks, between)
    read = evidence_of(run.folder).latencies_ns
    return tuple(_advise(task, demands, lengths, between, run.settings.seeds, read) for task in tasks)


def _advise(
    task: TaskResults,
    demands: Demands,
    lengths: OwnLengths | None,
    between: tuple[str, str] | None,
    seeds: int,
    read: Callable[[str], np.ndarray],
) -> Advice:
    standing = standing_of(task)
    rule = _rule(demands)
    candidates = candidates_of(task, demands, lengths)
    ordered = _in_order([candidate for candidate in candidates if candidate.meets], task, standing, rule)
    chosen, runner_up = (*ordered, None, None)[:2]
    others = sorted((each for each in candidates if each not in ordered), key=_distance)
    by_name = {candidate.name: candidate for candidate in candidates}
    return Advice(
        data=task.data,
        demands=demands,
        rule=rule,
        candidates=(*ordered, *others),
        chosen=chosen,
        runner_up=runner_up,
        rivalry=_rivalry(task, standing, chosen, runner_up) if chosen and runner_up else None,
        break_evens=tuple(_break_evens(chosen, [*ordered[1:], *others])) if chosen else (),
        between=_break_even(*(by_name[name] for name in between)) if between and set(between) <= set(by_name) else None,
        seeds=seeds,
        own_texts=lengths.n if lengths else None,
        excluded=tuple(_changing(task)),
        offer=offer_of(task, [each for each in candidates if each.refused is None], demands, read),
    )


def _rule(demands: Demands) -> Rule:
    if demands.accuracy is not None:
        return "automated"
    return "cheapest" if demands.min_f1 is not None else "best"


def _in_order(candidates: Sequence[Candidate], task: TaskResults, standing: Standing, rule: Rule) -> list[Candidate]:
    """Cheapest: by rate. Else the fastest of those that the tests cannot tell from the best one, again and again.

    The best one has the highest macro F1, or automates the most of the texts its threshold was chosen on: so what it
    automates of the test texts is not the highest of many.
    """
    rest = sorted(candidates, key=_rate, reverse=True)
    if rule == "cheapest" or standing.ranking is None:
        return rest
    ordered = []
    while rest:
        best = max(rest, key=_seen if rule == "automated" else lambda candidate: candidate.f1.value)
        first = next(
            each for each in rest if each is best or not _worse(task, standing, rule, best, each, len(rest) - 1)
        )
        ordered.append(first)
        rest.remove(first)
    return ordered


def _seen(candidate: Candidate) -> float:
    return candidate.automation.seen if candidate.automation else 0.0


def _worse(task: TaskResults, standing: Standing, rule: Rule, best: Candidate, other: Candidate, others: int) -> bool:
    """Whether a result is told apart from the best one; `others` are compared with it."""
    if rule == "best":
        return _apart(standing, best, other)
    if best.automation is None or other.automation is None:
        return True
    answers = (task.answers[best.result.cell.id], task.answers[other.result.cell.id])
    thresholds = (best.automation.threshold, other.automation.threshold)
    return automate_differently(*answers, thresholds) * others < SIGNIFICANT


def _rate(candidate: Candidate) -> float:
    return candidate.rate.value if candidate.rate else 0.0


def _apart(standing: Standing, first: Candidate, second: Candidate) -> bool:
    ranking, names = standing.ranking, (first.result.cell.id, second.result.cell.id)
    return ranking is not None and set(names) <= set(ranking.ranks) and ranking.apart(*names)


def _distance(candidate: Candidate) -> tuple[bool, float, float]:
    """How far from the demands, all together; then the better one; what must not be deployed is last."""
    return candidate.refused is not None, sum(check.shortfall for check in candidate.checks), -candidate.f1.value


def nearest_on(candidates: Sequence[Candidate], what: str) -> Candidate | None:
    """The result that comes nearest to one demand, or goes furthest beyond it."""
    deployable = [candidate for candidate in candidates if candidate.refused is None]
    known = [
        (check, candidate)
        for candidate in deployable
        for check in candidate.checks
        if check.what == what and check.measured
    ]
    if not known:
        return None

    def key(entry: tuple[object, Candidate]) -> float:
        [check] = [check for check in entry[1].checks if check.what == what]
        value = check.measured.value if check.measured else 0.0
        return -value if what == "p99" else value

    return max(known, key=key)[1]


def _rivalry(task: TaskResults, standing: Standing, chosen: Candidate, other: Candidate) -> Rivalry:
    names = (chosen.result.cell.id, other.result.cell.id)
    answers = [task.answers[name] for name in names]
    difference = paired_difference(answers[0], answers[1], len(task.data.class_names))
    faster = chosen.rate.value / other.rate.value if chosen.rate and other.rate and other.rate.value else None
    return Rivalry(
        f1=difference,
        p_adjusted=standing.ranking.p_value(*names) if standing.ranking else 1.0,
        f1_apart=_apart(standing, chosen, other),
        faster=faster,
        rates_apart=rates_apart(chosen, other),
    )


def rates_apart(first: Candidate, second: Candidate) -> bool:
    """Whether the ranges of two rates, 10 % each way for a single run, do not overlap."""
    if first.rate is None or second.rate is None:
        return False
    return first.rate.low > second.rate.high or second.rate.low > first.rate.high


def _break_evens(chosen: Candidate, others: Sequence[Candidate]) -> list[BreakEven]:
    found = (_break_even(chosen, other) for other in others if other.group.machine == chosen.group.machine)
    return [each for each in found if each]


def _break_even(first: Candidate, second: Candidate) -> BreakEven | None:
    """Training seconds + texts x seconds a text, equal for both; on one machine the price of an hour cancels."""
    if None in (first.training_s, second.training_s, first.text_s, second.text_s):
        return None
    if first.group.machine != second.group.machine:
        return None
    saved_before = (second.training_s or 0.0) - (first.training_s or 0.0)
    saved_a_text = (second.text_s or 0.0) - (first.text_s or 0.0)
    apart = rates_apart(first, second)
    if saved_before * saved_a_text >= 0:
        always = saved_before + saved_a_text >= 0
        return BreakEven(first.name, second.name, None, always, False, apart)
    texts = -saved_before / saved_a_text
    if texts < FIRST_VOLUME:
        return BreakEven(first.name, second.name, None, saved_a_text > 0, False, apart)
    return BreakEven(first.name, second.name, texts, False, saved_a_text > 0, apart)


def _refuse_unknown(tasks: Sequence[TaskResults], between: tuple[str, str]) -> None:
    known = {candidate.name for task in tasks for candidate in candidates_of(task, Demands(), None)}
    for name in between:
        if name not in known:
            raise unknown_name("result", name, known)


def _changing(task: TaskResults) -> list[str]:
    """The results that are left out because their engine changes answers."""
    results = ((group, result) for group, result in task.cells() if result.quality and not result.keeps_answers)
    return [f"{group.name}/{result.cell.engine}" for group, result in results]
