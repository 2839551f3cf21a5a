"""One line an aspect: who is ahead of whom, "=" where the measurement cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from bench.types import Scenario
from reports import figures
from reports.rows import Group, TaskRows
from reports.speed import usable
from reports.standing import Standing

ONE_RUN_MARGIN = 0.10  # measurement.md: the speed gate takes nothing under 10 % for a difference
SMALL_TRAINING_S = 0.001


@dataclass(frozen=True)
class Contender:
    """One name of a line: its figure as printed, and what the comparison needs."""

    label: str
    value: float
    groups: tuple[Group, ...] = ()
    low: float | None = None
    high: float | None = None


# None where the two cannot be told apart, else what is printed behind the lower one (may be empty).
Verdict = Callable[[Contender, Contender], str | None]


def ranking_lines(task: TaskRows, standing: Standing) -> Iterator[str]:
    """The lines of a task, those that compare nothing left out."""
    yield from _quality(task, standing)
    yield from _speed(task, "single", "Single-stream RPS")
    yield from _speed(task, "offline", "Offline texts/s")
    yield from _speed(task, "server", "Server req/s within the latency limit")
    yield from _training(task)


def _quality(task: TaskRows, standing: Standing) -> Iterator[str]:
    methods = _by_recipe(group for group in task.groups if group.shown)
    if not methods:
        return
    several_seeds = any(len(groups) > 1 for groups in methods)
    contenders = [_quality_contender(groups, several_seeds) for groups in methods]

    def apart(ahead: Contender, behind: Contender) -> str | None:
        p = standing.p_of_methods(ahead.groups, behind.groups)
        return None if p is None else f" (p {'' if p < 0.001 else '= '}{figures.p_value(p)})"

    tail = [] if standing.smallest_difference is None else [_smallest(standing)]
    tail.append("p of the weakest seed" if several_seeds else "1 seed each")
    yield f"Quality (macro F1): {_chain(contenders, apart, '>')}" + "".join(f"; {part}" for part in tail)


def _smallest(standing: Standing) -> str:
    points = 100 * (standing.smallest_difference or 0.0)
    counts = sorted({comparison.n for comparison in standing.comparisons})
    n = " to ".join(f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1])))
    return f"the smallest difference this test could see is {points:.1f} points at n = {n}"


def _quality_contender(groups: Sequence[Group], several_seeds: bool) -> Contender:
    """A method; with several seeds the mean and the range over them, and a lone seed among them is marked."""
    scores = [group.shown.quality.macro_f1.value for group in groups if group.shown and group.shown.quality]
    label = f"{groups[0].recipe} {figures.score(fmean(scores))}"
    if len(scores) > 1:
        label += f" ({len(scores)} seeds, {figures.score(min(scores))} to {figures.score(max(scores))})"
    elif several_seeds:
        label += " (1 seed)"
    return Contender(label, fmean(scores), tuple(groups))


def _speed(task: TaskRows, scenario: Scenario, title: str) -> Iterator[str]:
    methods = _by_recipe(task.groups)
    best = [_fastest(groups, scenario) for groups in methods]
    contenders = [contender for contender in best if contender]
    if not contenders:
        return
    single_runs = any(contender.low == contender.high for contender in contenders)
    left_out = [
        groups[0].recipe for groups, each in zip(methods, best, strict=True) if each is None and _loaded(groups)
    ]
    tail = "; one run each: within 10 % counts as equal" if single_runs else "; = where the runs' ranges overlap"
    if left_out:
        tail += f"; no rate to believe: {', '.join(left_out)}"
    yield f"{title} (fastest engine that keeps the answers): {_chain(contenders, _ranges_apart, '>')}{tail}"


def _loaded(groups: Sequence[Group]) -> bool:
    return any(row.session for group in groups for row in group.rows)


def _fastest(groups: Sequence[Group], scenario: Scenario) -> Contender | None:
    """The method's fastest engine with a passed certificate; over several seeds the median rate and the whole range."""
    by_engine: dict[str, list[tuple[float, float, float]]] = {}
    for group in groups:
        for row in group.rows:
            summary = usable(row, scenario)
            if summary and row.keeps_answers and row.cell.engine:
                by_engine.setdefault(row.cell.engine, []).append(
                    (summary.rate_rps, summary.rate_low_rps, summary.rate_high_rps)
                )
    contenders = [_speed_contender(groups[0].recipe, engine, rates) for engine, rates in by_engine.items()]
    return max(contenders, key=lambda contender: contender.value, default=None)


def _speed_contender(recipe: str, engine: str, rates: Sequence[tuple[float, float, float]]) -> Contender:
    rate = median(rate for rate, _, _ in rates)
    low, high = min(low for _, low, _ in rates), max(high for _, _, high in rates)
    return Contender(f"{recipe}/{engine} {figures.number(rate)}", rate, low=low, high=high)


def _ranges_apart(ahead: Contender, behind: Contender) -> str | None:
    if ahead.low is None or behind.high is None:
        return None
    if ahead.low == ahead.high or behind.low == behind.high:
        return "" if behind.value < ahead.value * (1 - ONE_RUN_MARGIN) else None
    return "" if behind.high < ahead.low else None


def _training(task: TaskRows) -> Iterator[str]:
    contenders = []
    for groups in _by_recipe(task.groups):
        times = [group.fit.fit_s for group in groups if group.fit and group.fit.fit_s >= SMALL_TRAINING_S]
        if times:
            middle = median(times)
            contenders.append(Contender(f"{groups[0].recipe} {figures.duration(middle)}", -middle))
    if contenders:
        yield f"Training time: {_chain(contenders, _times_apart, '<')}; within 10 % counts as equal"


def _times_apart(ahead: Contender, behind: Contender) -> str | None:
    return "" if -ahead.value < -behind.value * (1 - ONE_RUN_MARGIN) else None


def _by_recipe(groups: Iterable[Group]) -> list[list[Group]]:
    """The seeds of one method together."""
    by_recipe: dict[tuple[str, str | None], list[Group]] = {}
    for group in groups:
        by_recipe.setdefault((group.recipe, group.base_model), []).append(group)
    return list(by_recipe.values())


def _chain(contenders: Iterable[Contender], verdict: Verdict, sign: str) -> str:
    """Best first; each is compared with the head of the tie before it."""
    ordered = sorted(contenders, key=lambda contender: -contender.value)
    head, text = ordered[0], ordered[0].label
    for contender in ordered[1:]:
        behind = verdict(head, contender)
        if behind is None:
            text += f" = {contender.label}"
        else:
            text += f" {sign} {contender.label}{behind}"
            head = contender
    return text
