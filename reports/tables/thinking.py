"""Compares zero-shot with and without thinking: what the thinking buys, and what it costs in time."""

from __future__ import annotations

from reports.columns.column import Told
from reports.columns.costs import text_s
from reports.columns.leaderboard import LAYOUTS, shown_columns
from reports.content.published import Published, published_cell, published_column
from reports.content.results import Group, TaskResults
from reports.render import figures
from reports.render.table import Column, Table, numbers, with_column
from reports.render.words import message

THINKING, DIRECT = "zero-shot-thinking", ("zero-shot-letters", "zero-shot-writing")

_NOTE = message(
    "a text: seconds to answer one test text, all texts given at once; vs direct: over the answer without thinking"
)


def thinking_tables(task: TaskResults) -> list[Table]:
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
    told = [Told(task, group, group.shown) for group in groups if group.shown]
    table = Table("Zero-shot, thinking and not thinking", (), tuple(() for _ in told), (_NOTE, *published.notes(found)))
    for column in shown_columns(LAYOUTS["thinking"], told):
        table = with_column(table, column.heading, map(column.cell, told))
        if column.column.key == "base_model":
            table = with_column(table, Column("thinks"), map(_thinks, groups))
    table = with_column(table, numbers("time", "vs direct"), (_against_direct(each, told) for each in told))
    if not any(found):
        return [table]
    return [with_column(table, published_column("published accuracy"), map(published_cell, found))]


def _thinks(group: Group) -> str:
    return message("yes") if group.recipe == THINKING else message("no")


def _against_direct(own: Told, told: list[Told]) -> str:
    direct = next(one for one in told if one.group.base_model == own.group.base_model and one.group.recipe != THINKING)
    own_s, direct_s = text_s(own), text_s(direct)
    return figures.ratio(own_s / direct_s if own_s and direct_s else None)
