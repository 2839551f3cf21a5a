"""Shows what a result costs: to train, to hold in memory, to store, to load, and to serve a million texts."""

from __future__ import annotations

from reports.columns.column import told_of
from reports.columns.leaderboard import result_table
from reports.content.results import TaskResults
from reports.render.table import Table
from reports.render.words import message

_NOTE = message(
    "memory: peak of the serving process; size: what the engine loads from disk; convert: export or compile, once"
)


def cost_tables(task: TaskResults) -> list[Table]:
    """One row a loaded engine."""
    told = [each for each in told_of(task) if each.result.session]
    return [result_table("Cost", "costs", told, _notes(task))] if told else []


def _without_memory(task: TaskResults) -> list[str]:
    """Which results have no peak memory, and why."""
    missing = {
        f"{group.name} {result.cell.engine}": result.session.peak_rss_missing
        for group, result in task.cells()
        if result.session and result.session.peak_rss_missing
    }
    return [
        message("memory of {row} was not measured: {reason}", row=result, reason=why) for result, why in missing.items()
    ]


def _notes(task: TaskResults) -> tuple[str, ...]:
    notes: list[str] = [_NOTE, *_without_memory(task)]
    if task.price_per_hour is not None:
        notes.append(
            message(
                "1M texts: their price at {price:g} an hour on a machine that is always busy", price=task.price_per_hour
            )
        )
    return tuple(notes)
