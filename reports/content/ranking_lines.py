"""One line an aspect: who is ahead of whom, "=" where the measurement cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from bench.types import Scenario
from reports.content.rows import Group, TaskRows
from reports.content.speed import usable
from reports.content.standing import Standing
from reports.render import figures
from reports.render.words import joined, message

ONE_RUN_MARGIN = 0.10  # measurement.md: the speed gate takes nothing under 10 % for a difference
SMALL_TRAINING_S = 0.001
_SPEED: dict[Scenario, str] = {
    "single": "Single-stream RPS (fastest engine that keeps the answers): {chain}",
    "offline": "Offline texts/s (fastest engine that keeps the answers): {chain}",
    "server": "Server req/s within the latency limit (fastest engine that keeps the answers): {chain}",
}


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
    for machine in dict.fromkeys(group.machine for group in task.groups):
        groups = [group for group in task.groups if group.machine == machine]
        speed = (line for scenario, title in _SPEED.items() for line in _speed(groups, scenario, title))
        for line in (*speed, *_training(groups)):
            yield joined("", (message("on {machine}: ", machine=machine), line)) if machine else line


def _quality(task: TaskRows, standing: Standing) -> Iterator[str]:
    methods = _by_recipe(group for group in task.groups if group.shown)
    if not methods:
        return
    several_seeds = any(len(groups) > 1 for groups in methods)
    contenders = [_quality_contender(groups, several_seeds) for groups in methods]

    def apart(ahead: Contender, behind: Contender) -> str | None:
        p = standing.p_of_methods(ahead.groups, behind.groups)
        return None if p is None else f" (p {'' if p < 0.001 else '= '}{figures.p_value(p)})"

    line: list[str] = [message("Quality (macro F1): {chain}", chain=_chain(contenders, apart, ">"))]
    if standing.smallest_difference is not None:
        line.append(_smallest(standing))
    line.append(message("p of the weakest seed") if several_seeds else message("1 seed each"))
    yield joined("; ", line)


def _smallest(standing: Standing) -> str:
    points = 100 * (standing.smallest_difference or 0.0)
    counts = sorted({comparison.n for comparison in standing.comparisons})
    n = joined(" to ", (f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1]))))
    return message("the smallest difference this test could see is {points:.1f} points at n = {n}", points=points, n=n)


def _quality_contender(groups: Sequence[Group], several_seeds: bool) -> Contender:
    """A method; with several seeds the mean and the range over them, and a lone seed among them is marked."""
    scores = [group.shown.quality.macro_f1.value for group in groups if group.shown and group.shown.quality]
    label: str = f"{groups[0].method_name} {figures.score(fmean(scores))}"
    if len(scores) > 1:
        label = message(
            "{label} ({seeds} seeds, {low} to {high})",
            label=label,
            seeds=len(scores),
            low=figures.score(min(scores)),
            high=figures.score(max(scores)),
        )
    elif several_seeds:
        label = message("{label} (1 seed)", label=label)
    return Contender(label, fmean(scores), tuple(groups))


def _speed(groups: Sequence[Group], scenario: Scenario, title: str) -> Iterator[str]:
    methods = _by_recipe(groups)
    best = [_fastest(groups, scenario) for groups in methods]
    contenders = [contender for contender in best if contender]
    if not contenders:
        return
    single_runs = any(contender.low == contender.high for contender in contenders)
    left_out = [
        groups[0].recipe for groups, each in zip(methods, best, strict=True) if each is None and _loaded(groups)
    ]
    line: list[str] = [message(title, chain=_chain(contenders, _ranges_apart, ">"))]
    if single_runs:
        line.append(message("one run each: within 10 % counts as equal"))
    else:
        line.append(message("= where the runs' ranges overlap"))
    if left_out:
        line.append(message("no rate to believe: {names}", names=", ".join(left_out)))
    yield joined("; ", line)


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


def _training(of_machine: Sequence[Group]) -> Iterator[str]:
    contenders = []
    for groups in _by_recipe(of_machine):
        times = [group.fit.fit_s for group in groups if group.fit and group.fit.fit_s >= SMALL_TRAINING_S]
        if times:
            middle = median(times)
            contenders.append(Contender(f"{groups[0].recipe} {figures.duration(middle)}", -middle))
    if contenders:
        chain = _chain(contenders, _times_apart, "<")
        yield message("Training time: {chain}; within 10 % counts as equal", chain=chain)


def _times_apart(ahead: Contender, behind: Contender) -> str | None:
    return "" if -ahead.value < -behind.value * (1 - ONE_RUN_MARGIN) else None


def _by_recipe(groups: Iterable[Group]) -> list[list[Group]]:
    """The seeds of one method together."""
    by_recipe: dict[tuple[str, str | None], list[Group]] = {}
    for group in groups:
        by_recipe.setdefault((group.method_name, group.base_model), []).append(group)
    return list(by_recipe.values())


def _chain(contenders: Iterable[Contender], verdict: Verdict, sign: str) -> str:
    """Best first; each is compared with the head of the tie before it."""
    ordered = sorted(contenders, key=lambda contender: -contender.value)
    head, parts = ordered[0], [ordered[0].label]
    for contender in ordered[1:]:
        behind = verdict(head, contender)
        if behind is None:
            parts += [" = ", contender.label]
        else:
            parts += [f" {sign} ", contender.label, behind]
            head = contender
    return joined("", parts)
