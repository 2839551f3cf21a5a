"""Lists every column of results by its key and every table's layout, and makes the tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from bench.types import Scenario
from reports.columns import costs, quality, server, speed
from reports.columns.column import Layout, Place, ResultColumn, Told
from reports.columns.speed import WORDS
from reports.content.scope import scope_notes
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers

COLUMNS: Mapping[str, ResultColumn] = {
    column.key: column for column in (*quality.COLUMNS, *speed.COLUMNS, *server.COLUMNS, *costs.COLUMNS)
}

_OVERVIEW = (
    Place("rank"),
    Place("group"),
    Place("classifier"),
    Place("engine"),
    Place("pareto"),
    Place("macro_f1"),
    Place("automated_99", from_width=110),
    Place("single_rate_rps", instead=False),
    Place("single_p50_ms", from_width=90),
    Place("single_p99_ms", from_width=90),
    Place("offline_rate_rps", numbers("offline", "texts/s"), instead=False),
    Place("peak_rss_bytes", from_width=100),
    Place("artifact_bytes", from_width=100),
    Place("training_fit_s", from_width=110),
    Place("offline_price_per_million", from_width=84, optional=True),
    Place("answers_mark", known=True),
    Place("marks", from_width=120),
)

_PAGE_START = (
    Place("rank"),
    Place("group"),
    Place("classifier"),
    Place("engine"),
    Place("precision"),
    Place("macro_f1"),
    Place("accuracy"),
    Place("automated_99"),
)
_PAGE_END = (
    Place("answers"),
    Place("status"),
    Place("peak_rss_bytes"),
    Place("artifact_bytes"),
    Place("training_fit_s"),
    Place("offline_price_per_million", optional=True),
    Place("method"),
    Place("base_model"),
)

LAYOUTS: Mapping[str, Layout] = {
    "overview": _OVERVIEW,
    **quality.LAYOUTS,
    **speed.LAYOUTS,
    **server.LAYOUTS,
    **costs.LAYOUTS,
}


@dataclass(frozen=True)
class Shown:
    """A column as one table shows it."""

    column: ResultColumn
    place: Place
    heading: Column

    def cell(self, told: Told | None) -> str:
        """What is printed of a result; of none, a dash."""
        return self.column.printed(told, self.place.show, self.place.instead) if told else MISSING


def shown_columns(layout: Layout, told: Sequence[Told]) -> tuple[Shown, ...]:
    """A layout's columns as far as these results need them."""
    kept = [
        place for place in layout if not (place.optional or place.known) or any(_is_needed(place, one) for one in told)
    ]
    crowded = any(place.optional for place in kept)
    return tuple(
        Shown(COLUMNS[place.key], place, _heading(place, max(place.from_width, place.crowded if crowded else 0)))
        for place in kept
    )


def _heading(place: Place, from_width: int) -> Column:
    heading = place.heading or COLUMNS[place.key].heading
    if heading is None:
        raise ValueError(f"the column {place.key} stands in a table and has no heading")
    return replace(heading, from_width=from_width)


def result_table(title: str, layout: str | Layout, told: Iterable[Told], notes: tuple[str, ...] = ()) -> Table:
    """A row a result."""
    results = tuple(told)
    shown = shown_columns(LAYOUTS[layout] if isinstance(layout, str) else layout, results)
    rows: tuple[Row, ...] = tuple(tuple(each.cell(one) for each in shown) for one in results)
    if {"answers", "answers_mark"} & {each.place.key for each in shown}:
        notes = (*notes, *scope_notes(one.result for one in results))
    return Table(title, tuple(each.heading for each in shown), rows, notes)


def page_layout(scenarios: Iterable[Scenario]) -> Layout:
    """The columns of the page's leaderboard; latencies where some result has them."""
    speeds = (
        (
            Place(f"{scenario}_rate_rps", numbers(scenario, WORDS[scenario][1])),
            Place(f"{scenario}_p50_ms", optional=True),
            Place(f"{scenario}_p99_ms", optional=True),
        )
        for scenario in scenarios
    )
    return (*_PAGE_START, *chain.from_iterable(speeds), *_PAGE_END)


def export_values(told: Told, scenarios: Iterable[Scenario]) -> dict[str, Any]:
    """Every column's value by its names in the exports, texts in English."""
    wanted = {None, *scenarios}
    parts = (column.export(told) for column in COLUMNS.values() if column.scenario in wanted)
    return dict(chain.from_iterable(part.items() for part in parts))


def _is_needed(place: Place, told: Told) -> bool:
    """Whether there is something to print where that decides, other than 0 where the column is optional."""
    column = COLUMNS[place.key]
    return column.printed(told) != MISSING and (place.known or column.number(told) != 0)


def laid_out() -> Iterator[tuple[str, ResultColumn]]:
    """Every column of every layout, with the layout's name."""
    for name, layout in LAYOUTS.items():
        for place in layout:
            yield name, COLUMNS[place.key]
