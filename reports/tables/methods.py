"""Shows what each method costs to train and to keep, beside what it is worth: the write-ups' table of methods."""

from __future__ import annotations

from collections.abc import Sequence

from bench.results.records import Result
from bench.types import Scenario
from reports.columns.column import Layout, Told
from reports.columns.leaderboard import LAYOUTS, shown_columns
from reports.content.published import Published, published_cell, published_column
from reports.content.results import Group, TaskResults
from reports.content.speed import usable
from reports.render.table import Table, with_column
from reports.render.words import message

_PUBLISHED = {"trainable_parameters": "published trainable", "saved_file_size": "published to keep"}
_NOTES = (
    message(
        "trainable: share of the weights that training moves; to keep: size of what training made, beside the base "
        "model where that stays as it was"
    ),
    message(
        "training rate: texts read in training a second, evaluation left out; rates of the fastest engine that keeps "
        "the answers"
    ),
)


def method_tables(task: TaskResults) -> list[Table]:
    """One row a trained classifier; a single one needs no comparison."""
    groups = [group for group in task.groups if group.fit and group.shown]
    if len(groups) < 2:
        return []
    published = Published(task)
    found = [[published.find(group, (metric,)) for metric in _PUBLISHED] for group in groups]
    shown = [figure for figures_of in found for figure in figures_of if figure]
    told = [Told(task, group, group.shown) for group in groups if group.shown]
    rates = [Told(task, group, fastest) if (fastest := _fastest(group)) else None for group in groups]
    pieces: list[tuple[Layout, Sequence[Told | None]]] = [
        (LAYOUTS["methods"], told),
        (LAYOUTS["methods_rates"], rates),
        (LAYOUTS["methods_quality"], told),
    ]
    table = Table("Methods", (), tuple(() for _ in groups), (*_NOTES, *published.notes(shown)))
    for layout, results in pieces:
        for column in shown_columns(layout, told):
            table = with_column(table, column.heading, map(column.cell, results))
    if shown:
        for at, title in enumerate(_PUBLISHED.values()):
            table = with_column(
                table, published_column(title), (published_cell(figures_of[at]) for figures_of in found)
            )
    return [table]


def _fastest(group: Group) -> Result | None:
    """The row with the highest rate among those that keep the answers; offline where it was measured."""
    scenarios: tuple[Scenario, ...] = ("offline", "single")
    for scenario in scenarios:
        rated = [
            (summary.rate_rps, result)
            for result in group.results
            if result.keeps_answers and (summary := usable(result, scenario))
        ]
        if rated:
            return max(rated, key=lambda entry: entry[0])[1]
    return None
