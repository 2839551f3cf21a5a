"""Makes the page's table and its quality-speed plot: one row a classifier and engine, as shown and as numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.results.records import Interval, Result
from bench.results.speed_records import LoadSummary
from bench.types import Scenario
from reports.columns.column import Told
from reports.columns.leaderboard import Shown, page_layout, shown_columns
from reports.columns.speed import WORDS
from reports.content.cascades import best_cascade
from reports.content.pareto import pareto_front
from reports.content.results import Group, TaskResults
from reports.content.speed import crowd_notes, ranked, usable
from reports.content.standing import Standing
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.markdown import clean
from reports.render.words import joined, message, say, say_marked


def page_table(task: TaskResults, standing: Standing, scenarios: Iterable[Scenario], language: str) -> dict[str, Any]:
    """Columns and rows, JSON-able; rows in the order of the ranks, those without answers last.

    A column's `key` is the same in every language; `warned` holds the columns of each row's warnings.
    """
    told = [Told(task, group, result, standing) for group, result in ordered_cells(task, standing)]
    shown = shown_columns(page_layout(scenarios), told)
    return {
        "columns": [_heading(each, task, language) for each in shown],
        "shown": [[clean(say_marked(each.cell(one), language)) for each in shown] for one in told],
        "values": [[_rounded(each.column.number(one)) for each in shown] for one in told],
        "warned": [[at for at, each in enumerate(shown) if each.column.warns(each.cell(one))] for one in told],
        "reasons": [clean(say(_reason(one.result), language)) for one in told],
    }


def _reason(result: Result) -> str:
    """Why its figures are none, or are too low."""
    return joined("; ", [*([result.reason] if result.reason else []), *crowd_notes([result])])


def _heading(shown: Shown, task: TaskResults, language: str) -> dict[str, Any]:
    heading, explained = shown.heading, shown.column.explanation(task)
    return {
        "key": heading.name,
        "name": say(heading.name, language),
        "unit": heading.unit and say(heading.unit, language),
        "numeric": heading.align == "right",
        "high": shown.column.high,
        "explained": explained and say(explained, language),
    }


def ordered_cells(task: TaskResults, standing: Standing) -> list[tuple[Group, Result]]:
    """Every row, in the order of their ranking; those without a rank at the end, as planned."""
    return sorted(task.cells(), key=lambda entry: standing.places.get(entry[1].cell.id, len(standing.places)))


def scenarios_of(task: TaskResults) -> list[Scenario]:
    """The scenarios that a row of the task was measured in, in the order they were first met."""
    return list(dict.fromkeys(summary.scenario for _, result in task.cells() for summary in result.load.values()))


def scenario_record(scenario: Scenario, language: str) -> dict[str, str]:
    """A scenario's key, its name, what it is in words, and the unit of its rate."""
    words, unit = WORDS[scenario]
    return {
        "key": scenario,
        "name": say(message(scenario), language),
        "words": say(words, language),
        "unit": say(unit, language),
    }


def page_points(task: TaskResults, standing: Standing, scenarios: Iterable[Scenario]) -> dict[str, Any]:
    """Quality and rate of every row of the table, each value, low, high or None, and who stands on the Pareto line.

    The line holds only rows whose speed is valid and measured beside no others, and whose certificate was passed; each
    machine has a line of its own.
    """
    results = [result for _, result in ordered_cells(task, standing)]
    quality = {
        "macro F1": [_triple(result.quality.macro_f1 if result.quality else None) for result in results],
        "accuracy": [_triple(result.quality.accuracy if result.quality else None) for result in results],
    }
    rates = {scenario: [_rates(usable(result, scenario)) for result in results] for scenario in scenarios}
    kept = [result.keeps_answers for result in results]
    machines = [result.cell.machine for result in results]
    fronts = {
        f"{metric}|{scenario}": [
            at
            for machine in dict.fromkeys(machines)
            for at in _front(
                [result.keeps_answers and result.cell.machine == machine for result in results],
                scores,
                [_rates(ranked(result, scenario)) for result in results],
            )
        ]
        for metric, scores in quality.items()
        for scenario in rates
    }
    return {
        "quality": quality,
        "rates": rates,
        "kept": kept,
        "machines": machines,
        "fronts": fronts,
        "cascade": _cascade_point(task),
    }


def _cascade_point(task: TaskResults) -> dict[str, Any] | None:
    """The best pair of rows, computed, in the one scenario whose rates it was computed from."""
    best = best_cascade(task)
    if best is None:
        return None
    return {
        "name": clean(best.name),
        "scenario": best.scenario,
        "rates": [float(f"{rate:.5g}") for rate in (best.rate_rps, best.rate_low_rps, best.rate_high_rps)],
        "quality": {"macro F1": _triple(best.macro_f1), "accuracy": _triple(best.accuracy)},
        "handed_on": round(best.share, 4),
    }


def _front(candidates: list[bool], scores: list[list[float] | None], rates: list[list[float] | None]) -> list[int]:
    eligible = [at for at, candidate in enumerate(candidates) if candidate and scores[at] and rates[at]]
    points = [((scores[at] or [0.0])[0], (rates[at] or [0.0])[0]) for at in eligible]
    return [eligible[position] for position in pareto_front(points)]


def _triple(figure: Interval | None) -> list[float] | None:
    if figure is None:
        return None
    low, high = (figure.low, figure.high) if figure.items_needed is None else (figure.value, figure.value)
    return [round(part, 5) for part in (figure.value, low, high)]


def _rates(summary: LoadSummary | None) -> list[float] | None:
    if summary is None or summary.rate_rps <= 0:
        return None
    return [float(f"{rate:.5g}") for rate in (summary.rate_rps, summary.rate_low_rps, summary.rate_high_rps)]


def _rounded(value: float | None) -> float | None:
    """Seven digits: enough to sort by, short enough to embed."""
    shown = figures.number(value)
    return None if value is None or shown == MISSING else float(f"{value:.7g}")
