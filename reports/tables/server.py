"""The server table: the highest Poisson rate that keeps to a latency limit, and the curve that led to it."""

from __future__ import annotations

from bench.results.records import Result
from bench.results.speed_records import LoadRun, ServerPoint, ServerSearch
from reports.content.rows import Group, TaskRows
from reports.content.speed import (
    LIMIT_COLUMNS,
    against_reference,
    answers_mark,
    limit_shares,
    precision_of,
    random_notes,
    search_of,
    usable,
    verdict,
)
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

_NOTES = (
    message(
        "rate: the highest Poisson rate found whose limited percentile LoadGen called VALID in three runs in a row; "
        "the median of the answers per second of the three"
    ),
    message(
        "latency counts from the scheduled arrival; queue: median wait before the engine began; texts a batch; busy: "
        "share of the time in which the engine computed"
    ),
    message("curve: answers per second and their p90 in ms, at every rate tried that the engine did not drown in"),
)
_ALONE = message("batch 1: an engine that schedules its requests itself")


def server_tables(task: TaskRows) -> list[Table]:
    """One row a cell that was measured under Poisson load."""
    cells = [(group, row) for group, row in task.cells() if "server" in row.load]
    if not cells:
        return []
    several = any(len(row.load["server"].runs) > 1 for _, row in cells)
    columns = (
        Column("classifier"),
        Column("engine"),
        Column("prec.", from_width=90),
        numbers("rate", "req/s"),
        *((numbers("range", "req/s"),) if several else ()),
        Column("limit"),
        numbers("p50", "ms"),
        numbers("limited", "ms"),
        numbers("queue", "ms", 84),
        numbers("batch", "texts", 90),
        numbers("busy", from_width=84),
        numbers("vs ref"),
        *LIMIT_COLUMNS,
        Column("answers", from_width=84),
        Column("LoadGen"),
        Column("curve", from_width=160),
    )
    rows = tuple(_row(group, row, several) for group, row in cells)
    tiers = ", ".join(dict.fromkeys(row.load["server"].tier for _, row in cells))
    title = message("Server: Poisson arrivals within a latency limit (LoadGen Server, tier {tiers})", tiers=tiers)
    return [Table(title, columns, rows, (*_NOTES, *_further_notes(cells)))]


def _row(group: Group, row: Result, several: bool) -> Row:
    summary = row.load["server"]
    good = usable(row, "server")
    found = search_of(row)
    search = found[1] if found else None
    standing = _standing(*found) if found and good else None
    spread = figures.span(summary.rate_low_rps, summary.rate_high_rps) if summary.valid and several else MISSING
    return (
        group.name,
        row.cell.engine or MISSING,
        precision_of(row),
        figures.number(good.rate_rps) if good else message(verdict(row, "server")),
        *((spread,) if several else ()),
        f"p{search.percentile:g} {search.limit_ms:g} ms" if search else MISSING,
        *_point_figures(standing),
        figures.ratio(against_reference(group, row, "server")),
        *limit_shares(row, "server"),
        answers_mark(row),
        message(verdict(row, "server")),
        _curve(search),
    )


def _point_figures(point: ServerPoint | None) -> Row:
    if point is None:
        return (MISSING,) * 5
    shown = map(figures.number, (point.p50_ms, point.limited_ms, point.queue_p50_ms, point.batch_mean))
    return (*shown, figures.percent(point.busy_share))


def _standing(run: LoadRun, search: ServerSearch) -> ServerPoint | None:
    """The confirmation whose figures the run has."""
    confirmations = [point for point in search.points if point.purpose == "confirm" and point.held]
    return min(confirmations, key=lambda point: abs((point.rate_rps or 0.0) - run.rate_rps), default=None)


def _curve(search: ServerSearch | None) -> str:
    points = search.points if search else ()
    known = sorted((p.rate_rps, p.p90_ms) for p in points if p.rate_rps is not None and p.p90_ms is not None)
    return "; ".join(f"{figures.number(rate)}: {figures.number(ms)}" for rate, ms in known) or MISSING


def _further_notes(cells: list[tuple[Group, Result]]) -> tuple[str, ...]:
    searches = [found[1] for _, row in cells if (found := search_of(row))]
    notes: list[str] = []
    lower = sorted({f"p{search.percentile:g}" for search in searches if search.percentile < 99})
    if lower:
        notes.append(
            message(
                "{percentiles} stands for p99 where three runs of 662 queries would take longer than the tier has",
                percentiles=", ".join(lower),
            )
        )
    notes += random_notes({id(group): group for group, _ in cells}.values())
    if any(search.concurrency for search in searches):
        notes.append(_ALONE)
    if any(usable(row, "server") is None for _, row in cells):
        notes.append(message("INVALID and UNSTABLE rates are not printed; their reasons are listed below"))
    return tuple(notes)
