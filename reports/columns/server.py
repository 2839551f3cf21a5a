"""Tells of a result under Poisson load: the limit that its rate keeps, and how its requests waited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.results.speed_records import ServerPoint, ServerSearch
from reports.columns.column import Layouts, Place, ResultColumn, Told
from reports.content.speed import search_of, usable
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, numbers


def _confirmed(told: Told) -> ServerPoint | None:
    """The confirmation under Poisson load whose figures the result has."""
    found = search_of(told.result) if usable(told.result, "server") else None
    if found is None:
        return None
    run, search = found
    confirmations = [point for point in search.points if point.purpose == "confirm" and point.held]
    return min(confirmations, key=lambda point: abs((point.rate_rps or 0.0) - run.rate_rps), default=None)


def _search(told: Told) -> ServerSearch | None:
    found = search_of(told.result)
    return found[1] if found else None


def _curve(search: ServerSearch) -> str:
    known = sorted((p.rate_rps, p.p90_ms) for p in search.points if p.rate_rps is not None and p.p90_ms is not None)
    return "; ".join(f"{figures.number(rate)}: {figures.number(ms)}" for rate, ms in known) or MISSING


def _of_server() -> tuple[ResultColumn, ...]:
    def of_point(name: str) -> Callable[[Told], Any]:
        return lambda told: getattr(_confirmed(told), name, None)

    return (
        ResultColumn(
            "server_limit",
            _search,
            Column("limit"),
            lambda search: f"p{search.percentile:g} {search.limit_ms:g} ms",
            fields=("server_percentile", "server_limit_ms"),
            split=lambda search: (search.percentile, search.limit_ms),
        ),
        ResultColumn("server_limited_ms", of_point("limited_ms"), numbers("limited", "ms"), figures.number),
        ResultColumn("server_queue_p50_ms", of_point("queue_p50_ms"), numbers("queue", "ms"), figures.number),
        ResultColumn("server_batch_mean", of_point("batch_mean"), numbers("batch", "texts"), figures.number),
        ResultColumn("server_busy_share", of_point("busy_share"), numbers("busy"), figures.percent),
        ResultColumn(
            "server_curve", lambda told: _curve(search) if (search := _search(told)) else None, Column("curve")
        ),
    )


COLUMNS = tuple(replace(column, scenario="server") for column in _of_server())

LAYOUTS: Layouts = {
    "server": (
        Place("classifier"),
        Place("engine"),
        Place("precision", from_width=90),
        Place("server_rate_rps"),
        Place("server_range_rps", optional=True),
        Place("server_limit"),
        Place("server_p50_ms"),
        Place("server_limited_ms"),
        Place("server_queue_p50_ms", from_width=84),
        Place("server_batch_mean", from_width=90),
        Place("server_busy_share", from_width=84),
        Place("server_against_reference"),
        Place("server_matmul_share", from_width=110),
        Place("server_memory_share", from_width=110),
        Place("answers", from_width=84, instead=False),
        Place("server_verdict"),
        Place("server_curve", from_width=160),
    ),
}
