"""Shows what training does to a language model that writes its answers: accuracy and valid answers."""

from __future__ import annotations

from bench.results.published import PublishedFigure
from reports.content.published import Published, published_column, published_origin
from reports.content.results import Group, TaskResults
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import joined, message

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

_METRICS = ("accuracy_before_training", "valid_response_rate_before_training", "accuracy", "valid_response_rate")
_PUBLISHED = ("published before: accuracy / valid", "published after: accuracy / valid")
_NOTE = message("valid: answers that name a class; the others count as wrong")


def before_after_tables(task: TaskResults) -> list[Table]:
    """One row a trained model whose base also answered without training."""
    writing = [group for group in task.groups if group.kind == "generate" and group.shown and group.shown.quality]
    untrained = [group for group in writing if not _was_trained(group)]
    pairs = [
        (before, after)
        for after in filter(_was_trained, writing)
        for before in untrained
        if before.base_model == after.base_model
    ]
    published = Published(task)
    found = [[published.find(after, (metric,)) for metric in _METRICS] for _, after in pairs]
    shown = [figure for figures_of in found for figure in figures_of if figure]
    columns = (*_COLUMNS, *map(published_column, _PUBLISHED if shown else ()))
    rows = tuple(
        (*_row(before, after), *(_published(figures_of) if shown else ()))
        for (before, after), figures_of in zip(pairs, found, strict=True)
    )
    return [Table("Before and after training", columns, rows, (_NOTE, *published.notes(shown)))] if rows else []


def _published(found: list[PublishedFigure | None]) -> Row:
    """Accuracy and valid share before, then after."""
    values = [figure.value if figure else MISSING for figure in found]
    before, after = f"{values[0]} / {values[1]}", f"{values[2]} / {values[3]}"
    known = next((figure for figure in reversed(found) if figure), None)
    return before, joined("", (after, " (", published_origin(known), ")")) if known else after


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
