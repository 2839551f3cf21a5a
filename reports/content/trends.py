"""Follows the figures of a result over several run folders: quality on the same texts, rates on the same machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bench.quality.stats import holm
from bench.quality.trends import Trend, trend_of
from bench.results.records import Result, StoredRun
from reports.content.provenance import SHORT, machine_of
from reports.content.speed import SCENARIOS, ranked
from reports.render.words import message

SIGNIFICANT = 0.05

Judgement = Literal["worse", "better", "steady", "too few runs"]


@dataclass(frozen=True)
class RunPoint:
    """A figure of one run with the ends of its interval or range, None where there is none; `run`: its place."""

    run: int
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Series:
    """A result's figure over the runs that have it, and what the tests say; p-values are Holm's over all series."""

    task: str
    fingerprint: str
    row: str
    metric: str
    machine: str | None
    points: tuple[RunPoint, ...] = field(default_factory=tuple)
    trend: Trend | None = None
    trend_p: float | None = None
    change_p: float | None = None

    @property
    def judgement(self) -> Judgement:
        """Of the trend, or of the change where only that is told apart from chance; more is better in every figure."""
        if self.trend is None or self.trend_p is None or self.change_p is None:
            return "too few runs"
        if self.trend_p < SIGNIFICANT:
            return "better" if self.trend.tau > 0 else "worse"
        if self.change_p < SIGNIFICANT:
            return "better" if self._after() > self._before() else "worse"
        return "steady"

    @property
    def changed_at(self) -> int | None:
        """The place of the first run after the change; None where none is told apart from chance."""
        if self.trend is None or self.change_p is None or self.change_p >= SIGNIFICANT:
            return None
        return self.points[self.trend.change_at].run

    def _before(self) -> float:
        values = [point.value for point in self.points[: self.trend.change_at if self.trend else 0]]
        return sum(values) / len(values)

    def _after(self) -> float:
        values = [point.value for point in self.points[self.trend.change_at if self.trend else 0 :]]
        return sum(values) / len(values)


@dataclass(frozen=True)
class History:
    """Runs in the order they ended, their names, and every series of two runs or more."""

    names: tuple[str, ...]
    commits: tuple[str | None, ...]
    series: tuple[Series, ...]


def history_of(runs: Sequence[StoredRun]) -> History:
    """The runs by the time their last result was finished, where all say it, else as given."""
    times = [max((result.finished_at or "" for result in run.results), default="") for run in runs]
    order = sorted(range(len(runs)), key=lambda at: times[at]) if all(times) else list(range(len(runs)))
    ordered = [runs[at] for at in order]
    found: dict[tuple[str, str, str, str, str | None], list[RunPoint]] = {}
    for place, run in enumerate(ordered):
        for key, point in _points(run, place):
            found.setdefault(key, []).append(point)
    several = {key: points for key, points in found.items() if len(points) > 1}
    series = _tested([Series(*key, tuple(points)) for key, points in several.items()])
    commits = [((run.environment.get("git") or {}).get("commit") or "")[:SHORT] or None for run in ordered]
    return History(_names(ordered), tuple(commits), tuple(series))


def _tested(series: Sequence[Series]) -> list[Series]:
    """Both tests of every series, corrected together."""
    trends = [trend_of([point.value for point in each.points]) for each in series]
    adjusted = iter(holm([p for trend in trends if trend for p in (trend.trend_p, trend.change_p)]))
    return [
        Series(
            each.task,
            each.fingerprint,
            each.row,
            each.metric,
            each.machine,
            each.points,
            trend,
            next(adjusted) if trend else None,
            next(adjusted) if trend else None,
        )
        for each, trend in zip(series, trends, strict=True)
    ]


def _points(run: StoredRun, place: int) -> Iterator[tuple[tuple[str, str, str, str, str | None], RunPoint]]:
    for result in run.results:
        start = (result.cell.task, result.data.fingerprint[:SHORT], _row_name(result))
        if result.quality:
            for metric, figure in (("macro F1", result.quality.macro_f1), ("accuracy", result.quality.accuracy)):
                known = figure.items_needed is None
                ends = (figure.low, figure.high) if known else (None, None)
                yield (*start, message(metric), None), RunPoint(place, figure.value, *ends)
        for scenario in SCENARIOS:
            if load := ranked(result, scenario):
                point = RunPoint(place, load.rate_rps, load.rate_low_rps, load.rate_high_rps)
                yield (*start, message(scenario), machine_of(run, result)), point


def _row_name(result: Result) -> str:
    cell = result.cell
    base = f" ({cell.base_model.rstrip('/').rsplit('/', 1)[-1]})" if cell.base_model else ""
    return f"{cell.recipe}{base} s{cell.seed}/{cell.engine}" + (f" @{cell.machine}" if cell.machine else "")


def _names(runs: Sequence[StoredRun]) -> tuple[str, ...]:
    """Folder names; with their parents where two are called the same."""
    names = [run.folder.resolve().name for run in runs]
    return tuple(
        name if names.count(name) == 1 else f"{run.folder.resolve().parent.name}/{name}"
        for name, run in zip(names, runs, strict=True)
    )
