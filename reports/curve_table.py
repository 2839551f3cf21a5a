"""The training curve of each run, as the write-ups print it."""

from __future__ import annotations

from bench.types import FitRecord
from reports import figures
from reports.rows import Group, TaskRows
from reports.tables import Column, Table, numbers

_COLUMNS = (
    numbers("step"),
    numbers("epoch", from_width=90),
    numbers("training loss"),
    numbers("validation loss"),
    numbers("accuracy"),
    numbers("precision"),
    numbers("recall"),
    numbers("F1"),
    Column("checkpoint"),
)


def curve_tables(task: TaskRows) -> list[Table]:
    """One table a trained classifier that was evaluated on the way."""
    return [_curve(group, group.fit) for group in task.groups if group.fit and group.fit.curve]


def _curve(group: Group, fit: FitRecord) -> Table:
    rows = tuple(
        (
            figures.count(point.step),
            f"{point.epoch:.2f}",
            figures.loss(point.training_loss),
            figures.loss(point.validation_loss),
            figures.loss(point.accuracy),
            figures.loss(point.precision),
            figures.loss(point.recall),
            figures.loss(point.f1),
            "chosen" if point.step == fit.chosen_step else "",
        )
        for point in fit.curve
    )
    base = f" ({group.base_model})" if group.base_model else ""
    note = "on the validation part of train, macro averages; the checkpoint is chosen there, never on test"
    return Table(f"Training curve: {group.name}{base}", _COLUMNS, rows, (note,))
