"""Shows the accuracy table of the write-ups, whole, and what this run measured beside each of its rows."""

from __future__ import annotations

from bench.results.published import PublishedFigure
from reports.content.published import Published, departures
from reports.content.results import Group, TaskResults
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import joined, message

_COLUMNS = (
    Column("system"),
    Column("published as"),
    numbers("published accuracy"),
    Column("published hardware", from_width=110),
    Column("classifier here"),
    Column("base model", from_width=100),
    numbers("accuracy"),
    Column("what differs"),
)
_METRICS = ("accuracy", "accuracy_best_on_test")
_ELSEWHERE = ("C12", "D1", "D2")  # before and after training; the study table; the first test texts


def published_tables(task: TaskResults) -> list[Table]:
    """One row a published accuracy, best first; nothing where this run has none of these systems."""
    published = Published(task)
    listed = [figure for figure in published.figures if figure.metric in _METRICS and figure.row not in _ELSEWHERE]
    if not any(group.recipe == figure.recipe for group in task.groups for figure in listed):
        return []
    listed.sort(key=lambda figure: -float(figure.value))
    rows = tuple(row for figure in listed for row in _rows(task, figure))
    notes = list(published.notes(listed))
    if any(figure.metric == "accuracy_best_on_test" for figure in listed):
        notes.append(message("best on test: its author chose the checkpoint by the test texts, which flatters"))
    return [Table("Accuracy beside the published", _COLUMNS, rows, tuple(notes))]


def _rows(task: TaskResults, figure: PublishedFigure) -> list[Row]:
    best = figure.metric == "accuracy_best_on_test"
    value = message("{value} best on test", value=figure.value) if best else figure.value
    start = (figure.row, figure.system, value, figure.hardware or MISSING)
    groups = [group for group in task.groups if group.recipe == figure.recipe]
    if not groups:
        return [(*start, message("not in this run"), MISSING, MISSING, MISSING)]
    return [(*start, *_ours(task, group)) for group in groups]


def _ours(task: TaskResults, group: Group) -> Row:
    quality = group.shown.quality if group.shown else None
    if quality is None:
        failed = next((result.status.value for result in group.results), MISSING)
        return group.name, group.short_base or MISSING, message(failed), MISSING
    found = departures(task, group)
    what = joined("; ", found) if found else message("nothing in model and data")
    return group.name, group.short_base or MISSING, figures.plus_minus(quality.accuracy), what
