"""Shows the training curve of each run, as the write-ups print it."""

from __future__ import annotations

from collections.abc import Sequence

from bench.results.published import PublishedPoint
from bench.types import CurvePoint, FitRecord
from reports.content.published import Published
from reports.content.results import Group, TaskResults
from reports.render import figures
from reports.render.table import Column, Table, numbers
from reports.render.words import message

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

_NOTE = message("on the validation part of train, macro averages; the checkpoint is chosen there, never on test")
_TEST_COLUMNS = tuple(map(numbers, ("test accuracy", "test precision", "test recall", "test F1")))


def curve_tables(task: TaskResults) -> list[Table]:
    """One table a trained classifier that was evaluated on the way, the published curve of its recipe behind it."""
    published, tables = Published(task), []
    for group in task.groups:
        if group.fit and group.fit.curve:
            tables.append(_curve(group, group.fit))
            if points := published.curve(group):
                tables.append(_published_curve(points, published.notes(points)))
    return tables


def _curve(group: Group, fit: FitRecord) -> Table:
    tested = any(point.test_f1 is not None for point in fit.curve)
    best_on_test = max(fit.curve, key=lambda point: point.test_f1 or 0.0) if tested else None
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
            *(_on_test_split(point) if tested else ()),
            _mark(point, fit, best_on_test),
        )
        for point in fit.curve
    )
    base = f" ({group.base_model})" if group.base_model else ""
    notes = [_NOTE]
    if best_on_test is not None:
        notes.append(_on_test(fit, best_on_test))
    columns = (*_COLUMNS[:-1], *(_TEST_COLUMNS if tested else ()), _COLUMNS[-1])
    return Table(message("Training curve: {name}", name=f"{group.name}{base}"), columns, rows, tuple(notes))


def _on_test_split(point: CurvePoint) -> tuple[str, ...]:
    scores = (point.test_accuracy, point.test_precision, point.test_recall, point.test_f1)
    return tuple(map(figures.loss, scores))


def _on_test(fit: FitRecord, best: CurvePoint) -> str:
    """What choosing on test, as the write-ups did, would have claimed."""
    chosen = next(point for point in fit.curve if point.step == fit.chosen_step)
    gain = figures.points((best.test_f1 or 0.0) - (chosen.test_f1 or 0.0))
    return message(
        "chosen on test, as the write-ups did: step {step:,}, test F1 {f1}, {gain} points more than the checkpoint "
        "chosen on validation; that gain is not real",
        step=best.step,
        f1=figures.loss(best.test_f1),
        gain=gain,
    )


def _mark(point: CurvePoint, fit: FitRecord, best_on_test: CurvePoint | None) -> str:
    if point.step == fit.chosen_step:
        return message("chosen")
    return message("best on test") if point is best_on_test else ""


def _published_curve(points: Sequence[PublishedPoint], notes: tuple[str, ...]) -> Table:
    best = max(points, key=lambda point: point.f1)
    rows = tuple(
        (
            figures.count(point.step),
            *map(figures.loss, (point.training_loss, point.validation_loss)),
            *map(figures.loss, (point.accuracy, point.precision, point.recall, point.f1)),
            message("best on test") if point is best else "",
        )
        for point in points
    )
    title = message("Published training curve: {system} on {hardware}", system=best.system, hardware=best.hardware)
    columns = (_COLUMNS[0], *_COLUMNS[2:])
    return Table(title, columns, rows, (message("scores on the test split, where its author chose"), *notes))
