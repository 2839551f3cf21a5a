"""The time table: what training took, part by part, and answering the test split."""

from __future__ import annotations

from bench.results.records import Result
from bench.types import FitRecord
from reports.content.published import Published, published_cell, published_column
from reports.content.rows import Group, TaskRows
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

_COLUMNS = (
    Column("classifier"),
    numbers("epochs"),
    numbers("training"),
    numbers("evaluate"),
    numbers("tokenise"),
    numbers("inference"),
    numbers("texts", from_width=100),
    Column("on engine"),
    numbers("total"),
)

_PUBLISHED = {
    "epochs": "published epochs",
    "training_time": "published training",
    "inference_time_test_split": "published inference",
    "total_time": "published total",
}
_NOTE = message("inference: the test texts answered once; total: all four parts, without downloads")


def time_tables(task: TaskRows) -> list[Table]:
    """One row a trained classifier."""
    groups = [(group, group.fit) for group in task.groups if group.fit]
    published = Published(task)
    found = [[published.find(group, (metric,)) for metric in _PUBLISHED] for group, _ in groups]
    shown = [figure for figures_of in found for figure in figures_of if figure]
    columns = (*_COLUMNS, *map(published_column, _PUBLISHED.values() if shown else ()))
    rows = tuple(
        (*_row(group, fit), *(map(published_cell, figures_of) if shown else ()))
        for (group, fit), figures_of in zip(groups, found, strict=True)
    )
    return [Table("Time", columns, rows, (_NOTE, *published.notes(shown)))] if rows else []


def _row(group: Group, fit: FitRecord) -> Row:
    answered = _timed(group)
    inference_s = answered.predict_s if answered else None
    training_s = (fit.fit_s, fit.evaluate_s, fit.tokenise_s)
    total_s = sum(training_s) + inference_s if inference_s is not None else None
    return (
        group.name,
        figures.number(fit.epochs),
        *(figures.duration(part) for part in training_s),
        figures.duration(inference_s),
        figures.count(answered.test_items if answered else None),
        (answered.cell.engine if answered else None) or MISSING,
        figures.duration(total_s),
    )


def _timed(group: Group) -> Result | None:
    """The row whose inference is shown: the reference engine's, else the first that was timed."""
    timed = [row for row in group.rows if row.predict_s is not None]
    return group.reference if group.reference in timed else next(iter(timed), None)
