"""What training does to a language model that writes its answers: accuracy and valid answers, before and after."""

from __future__ import annotations

from reports import figures
from reports.figures import MISSING
from reports.rows import Group, TaskRows
from reports.tables import Column, Row, Table, numbers

_COLUMNS = (
    Column("base model"),
    Column("before"),
    Column("after"),
    numbers("accuracy", "before"),
    numbers("valid", "before"),
    numbers("accuracy", "after"),
    numbers("valid", "after"),
    numbers("texts"),
)

_NOTE = "valid: answers that name a class; the others count as wrong"


def before_after_tables(task: TaskRows) -> list[Table]:
    """One row a trained model whose base also answered without training."""
    writing = [group for group in task.groups if group.kind == "generate" and group.shown and group.shown.quality]
    untrained = [group for group in writing if not _was_trained(group)]
    rows = tuple(
        _row(before, after)
        for after in filter(_was_trained, writing)
        for before in untrained
        if before.base_model == after.base_model
    )
    return [Table("Before and after training", _COLUMNS, rows, (_NOTE,))] if rows else []


def _was_trained(group: Group) -> bool:
    return bool(group.fit and group.fit.trainable_parameters)


def _row(before: Group, after: Group) -> Row:
    qualities = [group.shown.quality if group.shown else None for group in (before, after)]
    figures_of = [
        figure
        for quality in qualities
        for figure in (
            figures.plus_minus(quality.accuracy) if quality else MISSING,
            figures.floor_percent(quality.valid_share if quality else None),
        )
    ]
    return (
        after.short_base or MISSING,
        before.name,
        after.name,
        *figures_of,
        figures.count(qualities[1].n if qualities[1] else None),
    )
