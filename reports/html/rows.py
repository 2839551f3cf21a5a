"""The page's table and its quality-speed plot: one row a classifier and engine, as shown and as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bench.results.records import Interval, Result, Status
from bench.results.speed_records import LoadSummary
from bench.types import Scenario
from reports.content.pareto import pareto_front
from reports.content.rows import Group, TaskRows
from reports.content.speed import answers_mark, precision_of, price_per_million, usable, verdict
from reports.content.standing import Standing
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.markdown import clean
from reports.render.words import message, say, say_marked

SCENARIO_NAMES = {
    "single": (message("one request at a time"), message("requests/s")),
    "offline": (message("all texts at once"), message("texts/s")),
    "server": (message("the highest Poisson rate within the latency limit"), message("requests/s")),
}

Shown = tuple[str, float | None]
Figure = Callable[[Group, Result], Shown]


@dataclass(frozen=True)
class PageColumn:
    """A heading, its unit, and what stands under it: as printed, and as a number; `high` where more is better.

    `warns` tells of a cell's English text whether it is a warning.
    """

    name: str
    of: Figure
    unit: str | None = None
    numeric: bool = True
    high: bool = False
    explained: str | None = None
    warns: Callable[[str], bool] = lambda _: False


def page_table(task: TaskRows, standing: Standing, scenarios: Iterable[Scenario], language: str) -> dict[str, Any]:
    """Columns and rows, JSON-able; rows in the order of the ranks, those without answers last.

    A column's `key` is the same in every language; `warned` holds the columns of each row's warnings.
    """
    columns = _columns(task, standing, scenarios)
    cells = ordered_cells(task, standing)
    return {
        "columns": [
            {
                "key": column.name,
                "name": say(column.name, language),
                "unit": column.unit and say(column.unit, language),
                "numeric": column.numeric,
                "high": column.high,
                "explained": column.explained and say(column.explained, language),
            }
            for column in columns
        ],
        "shown": [
            [clean(say_marked(column.of(group, row)[0], language)) for column in columns] for group, row in cells
        ],
        "values": [[_rounded(column.of(group, row)[1]) for column in columns] for group, row in cells],
        "warned": [
            [at for at, column in enumerate(columns) if column.warns(column.of(group, row)[0])] for group, row in cells
        ],
        "reasons": [clean(row.reason or "") for _, row in cells],
    }


def ordered_cells(task: TaskRows, standing: Standing) -> list[tuple[Group, Result]]:
    """Every row, in the order of their ranking; those without a rank at the end, as planned."""
    return sorted(task.cells(), key=lambda entry: standing.places.get(entry[1].cell.id, len(standing.places)))


def scenarios_of(task: TaskRows) -> list[Scenario]:
    """The scenarios that a row of the task was measured in, in the order they were first met."""
    return list(dict.fromkeys(summary.scenario for _, row in task.cells() for summary in row.load.values()))


def scenario_record(scenario: Scenario, language: str) -> dict[str, str]:
    """A scenario's key, its name, what it is in words, and the unit of its rate."""
    words, unit = SCENARIO_NAMES[scenario]
    return {
        "key": scenario,
        "name": say(message(scenario), language),
        "words": say(words, language),
        "unit": say(unit, language),
    }


def _columns(task: TaskRows, standing: Standing, scenarios: Iterable[Scenario]) -> list[PageColumn]:
    priced = task.price_per_hour is not None
    return [
        PageColumn("rank", lambda _, row: _rank(standing, row), explained=_RANK),
        PageColumn(
            "group", lambda _, row: (standing.letters.get(row.cell.id, MISSING), None), numeric=False, explained=_GROUP
        ),
        PageColumn("classifier", lambda group, _: (group.name, None), numeric=False),
        PageColumn("engine", lambda _, row: (row.cell.engine or MISSING, None), numeric=False),
        PageColumn("prec.", lambda _, row: (precision_of(row), None), numeric=False),
        PageColumn(
            "macro F1",
            lambda _, row: _interval(row.quality.macro_f1 if row.quality else None),
            high=True,
            explained=_INTERVAL,
        ),
        PageColumn(
            "accuracy",
            lambda _, row: _interval(row.quality.accuracy if row.quality else None),
            high=True,
            explained=_INTERVAL,
        ),
        *(column for scenario in scenarios for column in _speed_columns(task, scenario)),
        PageColumn(
            "answers",
            lambda _, row: (_certificate(row), None),
            numeric=False,
            explained=_ANSWERS,
            warns=lambda text: text not in {"same", MISSING},
        ),
        PageColumn(
            "status",
            lambda _, row: (message(row.status.value), None),
            numeric=False,
            warns=lambda text: text != Status.OK,
        ),
        PageColumn(
            "memory", lambda _, row: _size(row.session.peak_rss_bytes if row.session else None), explained=_MEMORY
        ),
        PageColumn("size", lambda _, row: _size(row.session.artifact_bytes if row.session else None), explained=_SIZE),
        PageColumn("training", lambda group, _: _duration(group.fit.fit_s if group.fit else None)),
        *(_price_columns(task) if priced else ()),
        PageColumn("method", lambda group, _: (group.method, None), numeric=False),
        PageColumn("base model", lambda group, _: (group.short_base or MISSING, None), numeric=False),
    ]


def _speed_columns(task: TaskRows, scenario: Scenario) -> list[PageColumn]:
    """The rate, and the latencies where some row has them."""
    words, unit = SCENARIO_NAMES[scenario]

    def summary(row: Result) -> LoadSummary | None:
        return usable(row, scenario)

    columns = [
        PageColumn(
            scenario,
            lambda _, row: _rate(row, scenario),
            unit,
            high=True,
            explained=message("{words}, {unit}", words=words, unit=unit),
            warns=lambda text: text in {"INVALID", "UNSTABLE"},
        )
    ]
    rows = [good for _, row in task.cells() if (good := summary(row))]
    if any(good.p50_ms is not None for good in rows):
        columns.append(PageColumn("p50", lambda _, row: _number(getattr(summary(row), "p50_ms", None)), "ms"))
    if any(good.p99_ms is not None for good in rows):
        columns.append(PageColumn("p99", lambda _, row: _number(getattr(summary(row), "p99_ms", None)), "ms"))
    return columns


def _price_columns(task: TaskRows) -> list[PageColumn]:
    explained = message(
        "price of a million texts, all at once, at {price:g} an hour, machine always busy", price=task.price_per_hour
    )
    return [
        PageColumn(
            "1M texts",
            lambda _, row: _number(price_per_million(row, "offline", task.price_per_hour)),
            "price",
            explained=explained,
        )
    ]


def page_points(task: TaskRows, standing: Standing, scenarios: Iterable[Scenario]) -> dict[str, Any]:
    """Quality and rate of every row of the table, each value, low, high or None, and who stands on the Pareto line.

    The line holds only rows whose speed is valid and whose certificate was passed; each machine has a line of its own.
    """
    rows = [row for _, row in ordered_cells(task, standing)]
    quality = {
        "macro F1": [_triple(row.quality.macro_f1 if row.quality else None) for row in rows],
        "accuracy": [_triple(row.quality.accuracy if row.quality else None) for row in rows],
    }
    rates = {scenario: [_rates(usable(row, scenario)) for row in rows] for scenario in scenarios}
    kept = [row.keeps_answers for row in rows]
    machines = [row.cell.machine for row in rows]
    fronts = {
        f"{metric}|{scenario}": [
            at
            for machine in dict.fromkeys(machines)
            for at in _front(
                [row.keeps_answers and row.cell.machine == machine for row in rows], scores, rates[scenario]
            )
        ]
        for metric, scores in quality.items()
        for scenario in rates
    }
    return {"quality": quality, "rates": rates, "kept": kept, "machines": machines, "fronts": fronts}


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


def _rank(standing: Standing, row: Result) -> Shown:
    return standing.rank_range(row.cell.id) or MISSING, standing.ranks.get(row.cell.id)


def _number(value: float | None) -> Shown:
    return figures.number(value), value


def _duration(value: float | None) -> Shown:
    return figures.duration(value), value


def _size(value: int | None) -> Shown:
    return figures.size(value), value


def _interval(figure: Interval | None) -> Shown:
    return (figures.plus_minus(figure), figure.value) if figure else (MISSING, None)


def _rate(row: Result, scenario: Scenario) -> Shown:
    good = usable(row, scenario)
    return (figures.number(good.rate_rps), good.rate_rps) if good else (message(verdict(row, scenario)), None)


def _certificate(row: Result) -> str:
    """Whether the engine keeps the classifier's answers; a row without a certificate says so."""
    without = row.parity is None and row.quality and not row.without_reference
    return message("no certificate") if without else answers_mark(row)


_RANK = message("the places that the paired tests leave open to the row's classifier")
_GROUP = message("rows with a letter in common cannot be told apart by the paired tests")
_INTERVAL = message("±: the larger half of the 95 % interval over test texts")
_ANSWERS = message(
    "same: the engine passed its certificate against the reference engine; CHANGED: it gives other answers"
)
_MEMORY = message("peak of the serving process")
_SIZE = message("what the engine loads from disk")
