"""The leaderboard proper: one row a classifier and engine, with all that decides which one to deploy."""

from __future__ import annotations

from bench.results.records import Result
from reports.content.pareto import pareto_rows
from reports.content.rows import Group, TaskRows
from reports.content.speed import price_per_million, usable
from reports.content.standing import Standing
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message
from reports.tables.quality import RANK_NOTE, ordered_rows, quality_notes, status_mark

_NOTES = (
    message(
        "Pareto: no row of this machine that keeps its answers has both a better macro F1 and a higher rate "
        "(offline where measured, else RPS)"
    ),
    message("RPS, latency: one request at a time; memory: peak of the serving process; size: what the engine loads"),
    message("details, intervals and the tests behind the ranks: the tables below; rows without figures: at their end"),
)


def overview_tables(task: TaskRows, standing: Standing) -> list[Table]:
    """One row a cell that answered the test texts, best first."""
    pareto = pareto_rows(task)
    priced = task.price_per_hour is not None
    columns = (
        numbers("rank"),
        Column("group"),
        Column("classifier"),
        Column("engine"),
        Column("Pareto"),
        numbers("macro F1"),
        numbers("RPS", "req/s"),
        numbers("p50", "ms", 90),
        numbers("p99", "ms", 90),
        numbers("offline", "texts/s"),
        numbers("memory", from_width=100),
        numbers("size", from_width=100),
        numbers("training", from_width=110),
        *((numbers("1M texts", "price", 84),) if priced else ()),
        Column("status", from_width=120),
    )
    rows = tuple(_row(task, standing, group, row, pareto) for group, row in ordered_rows(task, standing))
    notes: tuple[str, ...] = (RANK_NOTE, *quality_notes(task), *_NOTES)
    if priced:
        price = message("1M texts: at {price:g} an hour, all at once, a machine always busy", price=task.price_per_hour)
        notes = (*notes, price)
    return [Table("Leaderboard", columns, rows, notes)] if rows else []


def _row(task: TaskRows, standing: Standing, group: Group, row: Result, pareto: frozenset[str]) -> Row:
    single, offline, session = usable(row, "single"), usable(row, "offline"), row.session
    price = price_per_million(row, "offline", task.price_per_hour)
    return (
        standing.rank_range(row.cell.id) or MISSING,
        standing.letters.get(row.cell.id, MISSING),
        group.name,
        row.cell.engine or MISSING,
        message("yes") if row.cell.id in pareto else "",
        figures.plus_minus(row.quality.macro_f1) if row.quality else MISSING,
        figures.number(single.rate_rps if single else None),
        figures.number(single.p50_ms if single else None),
        figures.number(single.p99_ms if single else None),
        figures.number(offline.rate_rps if offline else None),
        figures.size(session.peak_rss_bytes if session else None),
        figures.size(session.artifact_bytes if session else None),
        figures.duration(row.fit.fit_s if row.fit else None),
        *((figures.number(price),) if task.price_per_hour is not None else ()),
        status_mark(row),
    )
