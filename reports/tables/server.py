"""Shows the highest Poisson rate that keeps to a latency limit, and the curve that led to it."""

from __future__ import annotations

from bench.results.records import Result
from reports.columns.column import Told
from reports.columns.leaderboard import result_table
from reports.content.results import Group, TaskResults
from reports.content.speed import crowd_notes, random_notes, search_of, usable
from reports.render.table import Table
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


def server_tables(task: TaskResults) -> list[Table]:
    """One row a cell that was measured under Poisson load."""
    cells = [(group, result) for group, result in task.cells() if "server" in result.load]
    if not cells:
        return []
    tiers = ", ".join(dict.fromkeys(result.load["server"].tier for _, result in cells))
    title = message("Server: Poisson arrivals within a latency limit (LoadGen Server, tier {tiers})", tiers=tiers)
    told = (Told(task, group, result) for group, result in cells)
    return [result_table(title, "server", told, (*_NOTES, *_further_notes(cells)))]


def _further_notes(cells: list[tuple[Group, Result]]) -> tuple[str, ...]:
    searches = [found[1] for _, result in cells if (found := search_of(result))]
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
    notes += crowd_notes((result for _, result in cells), ("server",))
    if any(usable(result, "server") is None for _, result in cells):
        notes.append(message("INVALID and UNSTABLE rates are not printed; their reasons are listed below"))
    return tuple(notes)
