"""Draws throughput against latency for the page: what the search for the highest rate within the limit saw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bench.results.records import Result
from bench.results.speed_records import QUERIES_FOR, ServerPoint, ServerSearch
from reports.content.speed import search_of


def server_record(results: Sequence[Result]) -> list[dict[str, Any] | None]:
    """Of every row the limit and the points of its search, by rate; None where it was not measured or held no rate."""
    return [_record(found[1]) if (found := search_of(result)) else None for result in results]


def _record(search: ServerSearch) -> dict[str, Any] | None:
    """Points (answers/s, p50, limited percentile, enough queries for it, confirmed); where it drowned there is none."""
    known = [point for point in search.points if point.rate_rps is not None and point.limited_ms is not None]
    if not known:
        return None
    known.sort(key=lambda point: point.rate_rps or 0.0)
    return {
        "limit_ms": search.limit_ms,
        "percentile": f"p{search.percentile:g}",
        "points": [
            [
                *map(_digits, (point.rate_rps, point.p50_ms, point.limited_ms)),
                _supports(point),
                _confirms(point, search),
            ]
            for point in known
        ],
    }


def _supports(point: ServerPoint) -> bool:
    return point.queries >= QUERIES_FOR.get(point.percentile, math.inf)


def _confirms(point: ServerPoint, search: ServerSearch) -> bool:
    return point.purpose == "confirm" and point.target_rps == search.target_rps


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
