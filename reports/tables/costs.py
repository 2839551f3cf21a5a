"""What a row costs: to train, to hold in memory, to store, to load, and to serve a million texts."""

from __future__ import annotations

from bench.results.records import Result, SessionCard
from reports.content.rows import Group, TaskRows
from reports.content.speed import answers_mark, price_per_million
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

_NOTE = message(
    "memory: peak of the serving process; size: what the engine loads from disk; convert: export or compile, once"
)


def cost_tables(task: TaskRows) -> list[Table]:
    """One row a loaded engine."""
    on_device = any(row.session and row.session.peak_device_bytes is not None for _, row in task.cells())
    priced = task.price_per_hour is not None
    columns = (
        Column("classifier"),
        Column("engine"),
        Column("answers", from_width=90),
        numbers("training", from_width=90),
        numbers("training memory", from_width=90),
        numbers("memory"),
        *((numbers("GPU memory"),) if on_device else ()),
        numbers("size"),
        numbers("load"),
        numbers("convert"),
        *((numbers("1M texts offline", "price"), numbers("1M texts single", "price")) if priced else ()),
    )
    rows = tuple(_row(task, group, row, row.session, on_device) for group, row in task.cells() if row.session)
    return [Table("Cost", columns, rows, _notes(task))] if rows else []


def _row(task: TaskRows, group: Group, row: Result, session: SessionCard, on_device: bool) -> Row:
    fit = row.fit
    prices: Row = ()
    if task.price_per_hour is not None:
        prices = (
            figures.number(price_per_million(row, "offline", task.price_per_hour)),
            figures.number(price_per_million(row, "single", task.price_per_hour)),
        )
    return (
        group.name,
        row.cell.engine or MISSING,
        answers_mark(row),
        figures.duration(fit.fit_s if fit else None),
        figures.size(fit.peak_bytes if fit else None),
        figures.size(session.peak_rss_bytes),
        *((figures.size(session.peak_device_bytes),) if on_device else ()),
        figures.size(session.artifact_bytes),
        figures.duration(session.load_s),
        figures.duration(session.convert_s),
        *prices,
    )


def _without_memory(task: TaskRows) -> list[str]:
    """Which rows have no peak memory, and why."""
    missing = {
        f"{group.name} {row.cell.engine}": row.session.peak_rss_missing
        for group, row in task.cells()
        if row.session and row.session.peak_rss_missing
    }
    return [message("memory of {row} was not measured: {reason}", row=row, reason=why) for row, why in missing.items()]


def _notes(task: TaskRows) -> tuple[str, ...]:
    notes: list[str] = [_NOTE, *_without_memory(task)]
    if task.price_per_hour is not None:
        notes.append(
            message(
                "1M texts: their price at {price:g} an hour on a machine that is always busy", price=task.price_per_hour
            )
        )
    return tuple(notes)
