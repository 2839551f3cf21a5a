"""Lists the results without figures, or with figures that cannot be believed, and why."""

from __future__ import annotations

from collections.abc import Iterator

from bench.results.records import Status
from reports.content.results import TaskResults
from reports.render.figures import MISSING
from reports.render.table import Column, Table
from reports.render.words import message

_COLUMNS = (
    Column("classifier"),
    Column("base model", from_width=110),
    Column("engine"),
    Column("status"),
    Column("reason"),
)


def failure_tables(task: TaskResults) -> list[Table]:
    """One row a cell that is not OK; equal reasons of one classifier stand once, with all their engines."""
    rows = tuple(_rows(task))
    return [Table("Skipped, failed or not to be believed", _COLUMNS, rows)] if rows else []


def problems_of(task: TaskResults) -> Iterator[str]:
    """The same as a line each, what failed before what was skipped."""
    skipped = message(Status.SKIPPED.value)
    for name, _, engines, status, reason in sorted(_rows(task), key=lambda row: row[3] == skipped):
        yield message("{name} {engines}: {status}: {reason}", name=name, engines=engines, status=status, reason=reason)


def _rows(task: TaskResults) -> Iterator[tuple[str, str, str, str, str]]:
    reasons: dict[tuple[str, str, str, str], list[str]] = {}
    for group, result in task.cells():
        if result.status is not Status.OK:
            key = (
                group.name,
                group.base_model or MISSING,
                message(result.status.value),
                result.reason or message("no reason was recorded"),
            )
            reasons.setdefault(key, []).append(result.cell.engine or MISSING)
    for (name, base_model, status, reason), engines in reasons.items():
        yield name, base_model, ", ".join(engines), status, reason
