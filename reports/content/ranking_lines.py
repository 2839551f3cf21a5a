"""Says who is ahead of whom, one line an aspect, "=" where the measurement cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from bench.quality.methods import MethodComparison
from bench.types import Scenario
from reports.content.results import Group, TaskResults
from reports.content.speed import ranked
from reports.content.standing import METHOD_SEEDS, Standing, method_of
from reports.render import figures
from reports.render.words import joined, message

ONE_RUN_MARGIN = 0.10  # measurement.md: the speed gate takes nothing under 10 % for a difference
SMALL_TRAINING_S = 0.001
MOST_CLAIMS = 8
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
    low: float | None = None
    high: float | None = None


# None where the two cannot be told apart, else what is printed behind the lower one (may be empty).
Verdict = Callable[[Contender, Contender], str | None]


def ranking_lines(task: TaskResults, standing: Standing) -> Iterator[str]:
    """The lines of a task, those that compare nothing left out."""
    yield from _quality(task, standing)
    for machine in dict.fromkeys(group.machine for group in task.groups):
        groups = [group for group in task.groups if group.machine == machine]
        speed = (line for scenario, title in _SPEED.items() for line in _speed(groups, scenario, title))
        for line in (*speed, *_training(groups)):
            yield joined("", (message("on {machine}: ", machine=machine), line)) if machine else line


def _quality(task: TaskResults, standing: Standing) -> Iterator[str]:
    """A line on classifiers, who is better than whom among them, and the same on methods with seeds enough."""
    groups = [group for group in task.groups if group.shown and group.shown.cell.id in standing.ranks]
    if not groups:
        return
    groups.sort(key=lambda group: standing.places[_shown_id(group)])
    line: list[str] = [message("Quality (macro F1): {chain}", chain=joined(", ", map(_with_letters(standing), groups)))]
    if len(groups) > 1:
        line.append(message("a letter in common: not told apart"))
    if standing.smallest_difference is not None:
        line.append(_smallest(standing))
    line.append(message("each is one trained classifier and speaks for no method"))
    yield joined("; ", line)
    yield from _better_classifiers(groups, standing)
    yield from _methods(task, standing)


def _with_letters(standing: Standing) -> Callable[[Group], str]:
    alone = len(set(standing.letters.values())) == 1 and len(standing.comparisons) == 0

    def label(group: Group) -> str:
        quality = group.shown.quality if group.shown else None
        score = figures.score(quality.macro_f1.value if quality else None)
        return f"{group.name} {score}" + ("" if alone else f" ({standing.letters[_shown_id(group)]})")

    return label


def _shown_id(group: Group) -> str:
    return group.shown.cell.id if group.shown else ""


def _smallest(standing: Standing) -> str:
    points = 100 * (standing.smallest_difference or 0.0)
    counts = sorted({comparison.n for comparison in standing.comparisons if comparison.n})
    n = joined(" to ", (f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1]))))
    return message("the smallest difference this test could see is {points:.1f} points at n = {n}", points=points, n=n)


def _better_classifiers(groups: Sequence[Group], standing: Standing) -> Iterator[str]:
    """Each classifier and the best of those that it is better than."""
    names = {_shown_id(group): group.name for group in groups}
    claims = []
    for group in groups:
        ahead = (each for each in standing.comparisons if each.ahead == _shown_id(group) and each.apart)
        found = [each for each in ahead if each.behind in names]
        found.sort(key=lambda each: standing.places[each.behind])
        if found:
            first = found[0]
            claims.append(
                message(
                    "{ahead} than {behind} by {points} points on {n:,} texts (p {p})",
                    ahead=group.name,
                    behind=names[first.behind],
                    points=figures.points(first.difference.value),
                    n=first.n,
                    p=figures.p_relation(first.p_adjusted),
                )
            )
    if claims:
        more = [message("all pairs: the table of paired tests")] if len(claims) > MOST_CLAIMS else []
        yield message("Better, as classifiers: {claims}", claims=joined("; ", (*claims[:MOST_CLAIMS], *more)))


def _methods(task: TaskResults, standing: Standing) -> Iterator[str]:
    """What several seeds say of methods; nothing where there are too few."""
    scores: dict[str, list[float]] = {}
    for group in task.groups:
        if group.shown and group.shown.quality:
            scores.setdefault(method_of(group), []).append(group.shown.quality.macro_f1.value)
    seeded = {name: each for name, each in scores.items() if len(each) >= METHOD_SEEDS}
    if not seeded:
        return
    ordered = sorted(seeded, key=lambda name: -fmean(seeded[name]))
    chain = joined(", ", (_method_label(name, seeded[name]) for name in ordered))
    line: list[str] = [message("Methods (mean macro F1 of their seeds): {chain}", chain=chain)]
    claims = [_method_claim(each) for each in standing.methods if each.apart]
    if len(ordered) > 1:
        line += claims or [message("no method is better by more than the spread of seeds and texts")]
    yield joined("; ", line)


def _method_label(name: str, scores: Sequence[float]) -> str:
    return message(
        "{label} ({seeds} seeds, {low} to {high})",
        label=f"{name} {figures.score(fmean(scores))}",
        seeds=len(scores),
        low=figures.score(min(scores)),
        high=figures.score(max(scores)),
    )


def _method_claim(comparison: MethodComparison) -> str:
    difference = comparison.difference
    if difference.items_needed is not None:
        return message(
            "{ahead} is better than {behind} by {points} points (p {p}; an interval needs about {n:,} texts)",
            ahead=comparison.ahead,
            behind=comparison.behind,
            points=figures.points(difference.value),
            p=figures.p_relation(comparison.p_adjusted),
            n=difference.items_needed,
        )
    return message(
        "{ahead} is better than {behind} by {points} points (95 % {low} to {high}, p {p})",
        ahead=comparison.ahead,
        behind=comparison.behind,
        points=figures.points(difference.value),
        low=figures.points(difference.low),
        high=figures.points(difference.high),
        p=figures.p_relation(comparison.p_adjusted),
    )


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
    return any(result.session for group in groups for result in group.results)


def _fastest(groups: Sequence[Group], scenario: Scenario) -> Contender | None:
    """The method's fastest engine with a passed certificate; over several seeds the median rate and the whole range."""
    by_engine: dict[str, list[tuple[float, float, float]]] = {}
    for group in groups:
        for result in group.results:
            summary = ranked(result, scenario)
            if summary and result.keeps_answers and result.cell.engine:
                by_engine.setdefault(result.cell.engine, []).append(
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
        alone_s = [group.fit.alone_s for group in groups if group.fit]
        times = [seconds for seconds in alone_s if seconds is not None and seconds >= SMALL_TRAINING_S]
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
