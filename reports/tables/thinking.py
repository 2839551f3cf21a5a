"""Zero-shot with and without thinking: what the thinking buys, and what it costs in time."""

from __future__ import annotations

from reports.content.published import Published, published_cell, published_column
from reports.content.rows import Group, TaskRows
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers, with_column
from reports.render.words import message

THINKING, DIRECT = "zero-shot-thinking", ("zero-shot-letters", "zero-shot-writing")

_COLUMNS = (
    Column("classifier"),
    Column("base model"),
    Column("thinks"),
    numbers("accuracy"),
    numbers("macro F1"),
    numbers("valid"),
    numbers("texts"),
    numbers("a text"),
    numbers("time", "vs direct"),
)
_NOTE = message(
    "a text: seconds to answer one test text, all texts given at once; vs direct: over the answer without thinking"
)


def thinking_tables(task: TaskRows) -> list[Table]:
    """One row a zero-shot classifier of a language model that both thought and answered directly."""
    shown = [group for group in task.groups if group.shown and group.recipe in (THINKING, *DIRECT)]
    thinking = {group.base_model for group in shown if group.recipe == THINKING}
    direct = {group.base_model for group in shown if group.recipe != THINKING}
    groups = [group for group in shown if group.base_model in thinking & direct]
    if not groups:
        return []
    groups.sort(key=lambda group: group.recipe == THINKING)
    published = Published(task)
    found = [published.find(group, ("accuracy",)) for group in groups]
    rows = tuple(_row(group, groups) for group in groups)
    table = Table("Zero-shot, thinking and not thinking", _COLUMNS, rows, (_NOTE, *published.notes(found)))
    if not any(found):
        return [table]
    return [with_column(table, published_column("published accuracy"), map(published_cell, found))]


def _row(group: Group, groups: list[Group]) -> Row:
    quality = group.shown.quality if group.shown else None
    direct = next(one for one in groups if one.base_model == group.base_model and one.recipe != THINKING)
    own_s, direct_s = _text_s(group), _text_s(direct)
    return (
        group.name,
        group.short_base or MISSING,
        message("yes") if group.recipe == THINKING else message("no"),
        figures.plus_minus(quality.accuracy) if quality else MISSING,
        figures.plus_minus(quality.macro_f1) if quality else MISSING,
        figures.floor_percent(quality.valid_share if quality else None),
        figures.count(quality.n if quality else None),
        figures.duration(own_s),
        figures.ratio(own_s / direct_s if own_s and direct_s else None),
    )


def _text_s(group: Group) -> float | None:
    row = group.shown
    return row.predict_s / row.test_items if row and row.predict_s and row.test_items else None
