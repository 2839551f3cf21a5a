"""Lists the results that could be deployed, with what they give and cost, and how each demand fares on each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from bench.quality.selective import Automation, texts_to_choose
from bench.results.demands import Demands, OwnLengths
from bench.results.records import Interval, Result, Status
from bench.results.speed_records import QUERIES_FOR, LoadRun, LoadSummary
from reports.content.automation import automation_of
from reports.content.results import Group, TaskResults
from reports.content.speed import usable
from reports.render.words import message

ONE_RUN_MARGIN = 0.10  # measurement.md: differences under 10 % are none where there is one run

DEPLOYABLE = frozenset({Status.OK, Status.UNSTABLE})  # an UNSTABLE result's rates are not known, its answers are

Fate = Literal["met", "likely", "unlikely", "not met", "unknown"]


@dataclass(frozen=True)
class Measured:
    """A figure with the range it may lie in; `estimated` when it was scaled to the user's own lengths."""

    value: float
    low: float
    high: float
    estimated: bool = False


@dataclass(frozen=True)
class Check:
    """How a result fares on one demand. `chance` of meeting it where the interval says one; `reason` when unknown.

    `shortfall` is how far the value is from the demand, as a share of it; 0 where it meets it.
    """

    what: str
    fate: Fate
    measured: Measured | None
    wanted: float
    chance: float | None = None
    reason: str | None = None

    @property
    def shortfall(self) -> float:
        if self.measured is None:
            return math.inf
        if self.fate in ("met", "likely"):
            return 0.0
        return abs(self.measured.value - self.wanted) / self.wanted


@dataclass(frozen=True)
class Candidate:
    """A result that keeps its classifier's answers: training in machine seconds, a text in machine seconds.

    `refused`: why it must not be deployed, whatever it meets. automation: what it may answer alone, where demanded.
    """

    group: Group
    result: Result
    f1: Interval
    rate: Measured | None
    scenario: str | None
    p99: Measured | None
    checks: tuple[Check, ...]
    refused: str | None = None
    automation: Automation | None = None

    @property
    def name(self) -> str:
        return f"{self.group.name}/{self.result.cell.engine}"

    @property
    def meets(self) -> bool:
        return self.refused is None and all(check.fate in ("met", "likely") for check in self.checks)

    @property
    def beside_others(self) -> bool:
        """Whether the figures that it is judged by were measured on a machine that others had a part of."""
        return self.scenario is not None and self.result.load[self.scenario].beside_others

    @property
    def training_s(self) -> float | None:
        """Training, its evaluation and tokenising, and the engine's conversion; nothing else costs before use."""
        fit, session = self.group.fit, self.result.session
        if fit is None or fit.alone_s is None or session is None:
            return None
        return fit.alone_s + fit.evaluate_s + fit.tokenise_s + session.convert_s

    @property
    def text_s(self) -> float | None:
        return 1 / self.rate.value if self.rate and self.rate.value > 0 else None


def candidates_of(task: TaskResults, demands: Demands, lengths: OwnLengths | None) -> list[Candidate]:
    """Every result with answers whose certificate passed, in the plan's order."""
    results = [(group, result) for group, result in task.cells() if result.quality and result.keeps_answers]
    return [_candidate(task, group, result, demands, lengths) for group, result in results]


def _candidate(
    task: TaskResults, group: Group, result: Result, demands: Demands, lengths: OwnLengths | None
) -> Candidate:
    assert result.quality is not None  # noqa: S101 - the results are chosen by it
    summary = _serving(result, demands)
    rate, p99, reason = _speed(summary)
    if summary is None and usable(result, "offline"):
        reason = message("measured all at once only; add --scenario single")
    if lengths is not None and summary is not None:
        scaled = _scaled(task, result, lengths, rate, p99)
        rate, p99, reason = scaled or (None, None, message("your texts cannot be counted in its tokens"))
    checks = [_quality_check(result.quality.macro_f1, demands.min_f1)] if demands.min_f1 is not None else []
    automated = None
    if demands.accuracy is not None:
        automated = automation_of(task, result, demands.accuracy)
        checks.append(_accuracy_check(automated, demands.accuracy))
    if demands.rps is not None:
        checks.append(_check("RPS", rate, demands.rps, 1, reason, summary))
    if demands.p99_ms is not None:
        why = reason or message(
            "too few queries for a p99: {queries:,}; measure longer (--tier)", queries=_queries(summary)
        )
        checks.append(_check("p99", p99, demands.p99_ms, -1, why, summary))
    name = summary.scenario if summary else None
    return Candidate(
        group, result, result.quality.macro_f1, rate, name, p99, tuple(checks), _refusal(result), automated
    )


def _refusal(result: Result) -> str | None:
    if result.quality is not None and result.quality.valid_share == 0:
        return message("no valid answer")
    return None if result.status in DEPLOYABLE else message(result.status.value)


def _serving(result: Result, demands: Demands) -> LoadSummary | None:
    """The scenario that speaks for serving: Poisson arrivals before one by one; all at once where no demand is of time.

    None where no rate can be believed.
    """
    timed = demands.rps is not None or demands.p99_ms is not None
    order = ("server", "single") if timed else ("offline", "single")
    summaries = (result.load[name] for name in order if name in result.load)
    return next((summary for summary in summaries if usable(result, summary.scenario)), None)


def _speed(summary: LoadSummary | None) -> tuple[Measured | None, Measured | None, str | None]:
    """The summary's rate and p99; under Poisson load those of the confirmed rate, never of a probe on the way to it."""
    if summary is None:
        return None, None, message("no rate that can be believed")
    rate = Measured(summary.rate_rps, summary.rate_low_rps, summary.rate_high_rps)
    p99s = [p99_ms for run in summary.runs for p99_ms in _sound_p99s(run)]
    p99 = Measured(summary.p99_ms, min(p99s), max(p99s)) if summary.p99_ms is not None and p99s else None
    return (rate, p99, None) if len(summary.runs) > 1 else (_one_run(rate), p99 and _one_run(p99), None)


def _sound_p99s(run: LoadRun) -> list[float]:
    """p99 of every run that its queries support: the run itself, and all confirmations of a rate under Poisson load."""
    found = [run.p99_ms] if run.p99_ms is not None and run.queries >= QUERIES_FOR[99.0] else []
    if run.server is None:
        return found
    confirmed = [
        point.limited_ms
        for point in run.server.points
        if point.purpose == "confirm"
        and point.target_rps == run.server.target_rps
        and point.percentile == 99
        and point.queries >= QUERIES_FOR[99.0]
        and point.limited_ms is not None
    ]
    return found and [*found, *confirmed]


def _one_run(figure: Measured) -> Measured:
    low, high = figure.value * (1 - ONE_RUN_MARGIN), figure.value * (1 + ONE_RUN_MARGIN)
    return Measured(figure.value, min(low, figure.low), max(high, figure.high))


def _scaled(
    task: TaskResults, result: Result, lengths: OwnLengths, rate: Measured | None, p99: Measured | None
) -> tuple[Measured | None, Measured | None, str | None] | None:
    """The figures if time is proportional to tokens: the rate by their mean, the p99 by the 99th percentile.

    Texts longer than the classifier reads are cut, as they were in the measurement.
    """
    own = lengths.of(result.classifier_sha256, result.classifier_kind)
    answers = task.answers.get(result.cell.id)
    if own is None or answers is None:
        return None
    tested = answers.prediction.token_counts
    if answers.prediction.truncated.any():
        own = np.minimum(own, tested.max())
    mean_factor = float(tested.mean() / own.mean()) if own.mean() > 0 else 1.0
    long_factor = float(np.percentile(own, 99) / max(1.0, np.percentile(tested, 99)))
    return _times(rate, mean_factor), _times(p99, long_factor), None


def _times(figure: Measured | None, factor: float) -> Measured | None:
    return figure and Measured(figure.value * factor, figure.low * factor, figure.high * factor, estimated=True)


def _queries(summary: LoadSummary | None) -> int:
    return max((run.queries for run in summary.runs), default=0) if summary else 0


def _quality_check(f1: Interval, wanted: float) -> Check:
    """The chance is that of a normal error as wide as the interval's half towards the demand.

    Where there were too few texts for an interval, the value alone speaks, and nobody knows the chance.
    """
    if f1.items_needed is not None:
        why = message("too few texts for an interval: it needs about {n:,}", n=f1.items_needed)
        value = Measured(f1.value, f1.low, f1.high)
        return Check("macro F1", "likely" if f1.value >= wanted else "unlikely", value, wanted, reason=why)
    side = f1.value - f1.low if f1.value >= wanted else f1.high - f1.value
    error = side / NormalDist().inv_cdf(0.975)
    chance = 1 - NormalDist(f1.value, error).cdf(wanted) if error > 0 else float(f1.value >= wanted)
    measured = Measured(f1.value, f1.low, f1.high)
    return Check("macro F1", _fate(measured, wanted, 1), measured, wanted, chance)


def _accuracy_check(found: Automation | None, wanted: float) -> Check:
    """Of the answers automated, on test texts."""
    if found is None:
        needed = texts_to_choose(wanted)
        reason = message("too few texts to choose a threshold by: it takes {n:,}", n=needed)
        return Check("accuracy", "unknown", None, wanted, reason=reason)
    if found.accuracy is None:
        reason = message("nothing to automate: no threshold keeps it")
        return Check("accuracy", "unknown", None, wanted, reason=reason)
    measured = Measured(found.accuracy.value, found.accuracy.low, found.accuracy.high)
    return Check("accuracy", _fate(measured, wanted, 1), measured, wanted)


def _check(
    what: str, measured: Measured | None, wanted: float, sign: int, reason: str | None, summary: LoadSummary | None
) -> Check:
    """sign 1: at least the demand; -1: at most. What was measured beside others may be faster, never slower."""
    if measured is None:
        return Check(what, "unknown", None, wanted, reason=reason)
    fate = _fate(measured, wanted, sign)
    if summary is not None and summary.beside_others and fate in ("unlikely", "not met"):
        return Check(what, "unknown", None, wanted, reason=message("measured beside others, who held it up"))
    return Check(what, fate, measured, wanted)


def _fate(measured: Measured, wanted: float, sign: int) -> Fate:
    worst, best = (measured.low, measured.high) if sign > 0 else (measured.high, measured.low)
    if sign * worst >= sign * wanted:
        return "met"
    if sign * measured.value >= sign * wanted:
        return "likely"
    return "unlikely" if sign * best >= sign * wanted else "not met"
