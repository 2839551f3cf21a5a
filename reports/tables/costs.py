"""What a row costs: to train, to hold in memory, to store, to load, and to serve a million texts."""

from __future__ import annotations

from reports.columns.column import told_of
from reports.columns.leaderboard import result_table
from reports.content.rows import TaskRows
from reports.render.table import Table
from reports.render.words import message

_NOTE = message(
    "memory: peak of the serving process; size: what the engine loads from disk; convert: export or compile, once"
)


def cost_tables(task: TaskRows) -> list[Table]:
    """One row a loaded engine."""
    told = [each for each in told_of(task) if each.result.session]
    return [result_table("Cost", "costs", told, _notes(task))] if told else []


def _notes(task: TaskRows) -> tuple[str, ...]:
    notes: list[str] = [_NOTE]
    if task.price_per_hour is not None:
        notes.append(
            message(
                "1M texts: their price at {price:g} an hour on a machine that is always busy", price=task.price_per_hour
            )
        )
    return tuple(notes)
