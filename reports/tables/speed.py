"""Shows rates: one request at a time, everything at once, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench.results.records import Result
from bench.results.speed_records import LoadSummary
from bench.types import Scenario
from reports.columns.column import Told, told_of
from reports.columns.leaderboard import LAYOUTS, result_table, shown_columns
from reports.columns.speed import NAMES
from reports.content.published import Published, published_cell, published_column
from reports.content.results import Group, TaskResults
from reports.content.speed import (
    crowd_notes,
    limit_notes,
    median_run,
    random_notes,
    tuning_notes,
    usable,
    weight_notes,
)
from reports.render.figures import MISSING
from reports.render.table import Column, Table, with_column
from reports.render.words import joined, message

_SHOWN: tuple[Scenario, ...] = ("single", "offline")

_PERCENTILES = message("a percentile stands only where enough queries support it (p90 64, p99 662)")
_OFFLINE = message(
    "recomp.: compilations in the timed runs, which must be 0; padding: computed tokens that are no text"
)


def rps_tables(task: TaskResults) -> list[Table]:
    """One table a scenario that was measured."""
    tables = [table for table in (_single(task), _offline(task)) if table.rows]
    return [*tables[:-1], *(replace(table, notes=(*table.notes, *_notes(task))) for table in tables[-1:])]


def stage_tables(task: TaskResults) -> list[Table]:
    """One row a scenario of a result whose figures can be believed."""
    table = _stages(task)
    return [table] if table.rows else []


def _single(task: TaskResults) -> Table:
    told = _told(task, "single")
    published = Published(task)
    found = [published.find(each.group, ("rps",), each.result.cell.engine) for each in told]
    title = message("RPS: one request at a time (LoadGen SingleStream, tier {tier})", tier=_tiers(task, "single"))
    table = result_table(title, "single", told, (_PERCENTILES, *published.notes(found)))
    return with_column(table, published_column(), map(published_cell, found)) if any(found) else table


def _offline(task: TaskResults) -> Table:
    title = message("Throughput: all texts at once (LoadGen Offline, tier {tier})", tier=_tiers(task, "offline"))
    return result_table(title, "offline", _told(task, "offline"), (_OFFLINE,))


def _stages(task: TaskResults) -> Table:
    """The scenarios of a result below each other, which the layouts of the stages name alike."""
    told = list(told_of(task))
    columns = {scenario: shown_columns(LAYOUTS[f"stages_{scenario}"], told) for scenario in _SHOWN}
    headings = [column.heading for column in columns["single"]]
    rows = tuple(
        (*cells[:NAMES], scenario, *cells[NAMES:])
        for each in told
        for scenario in _SHOWN
        if (good := usable(each.result, scenario)) and median_run(good)
        for cells in [[column.cell(each) for column in columns[scenario]]]
    )
    heading = (*headings[:NAMES], Column("scenario"), *headings[NAMES:])
    return Table("Where the time goes inside a request", heading, rows, (message("shares of the median run"),))


def _told(task: TaskResults, scenario: Scenario) -> list[Told]:
    return [Told(task, group, result) for group, result, _ in _measured(task, scenario)]


def _measured(task: TaskResults, scenario: Scenario) -> Iterator[tuple[Group, Result, LoadSummary]]:
    for group, result in task.cells():
        if scenario in result.load:
            yield group, result, result.load[scenario]


def _tiers(task: TaskResults, scenario: Scenario) -> str:
    return ", ".join(dict.fromkeys(summary.tier for _, _, summary in _measured(task, scenario)))


def _retries_note(result: Result, summary: LoadSummary) -> str | None:
    """What an endpoint answered at a later try only; of one that limits its rate, the figure is the rate it bears."""
    retried: dict[str, int] = {}
    for run in summary.runs:
        for reason, count in run.retried_requests.items():
            retried[reason] = retried.get(reason, 0) + count
    if not retried:
        return None
    return message(
        "{engine}, {scenario}: requests answered only at a later try ({reasons}), with the time of all tries; "
        "after HTTP 429 the figure is the rate that the server bears",
        engine=result.cell.engine or MISSING,
        scenario=summary.scenario,
        reasons=", ".join(f"{reason}: {count}" for reason, count in sorted(retried.items())),
    )


def _notes(task: TaskResults) -> tuple[str, ...]:
    """What a reader must know of every rate, after the last of the tables."""
    measured = [entry for scenario in _SHOWN for entry in _measured(task, scenario)]
    references = joined(" or ", dict.fromkeys(result.parity.reference for _, result, _ in measured if result.parity))
    notes: list[str] = []
    if references:
        notes.append(
            message(
                "vs ref: rate over that of the same classifier on its reference engine ({references}, fp32)",
                references=references,
            )
        )
    notes += limit_notes(result for _, result, _ in measured)
    notes += weight_notes(result for _, result, _ in measured)
    notes += random_notes(task.groups)
    notes += tuning_notes(result for _, result, _ in measured)
    notes += [note for _, result, summary in measured if (note := _retries_note(result, summary))]
    single_runs = dict.fromkeys(summary.tier for _, _, summary in measured if len(summary.runs) == 1)
    if single_runs:
        notes.append(
            message(
                "tier {tiers}: one run a result, so there is no range: take differences under 10 % for none",
                tiers=", ".join(single_runs),
            )
        )
    if any(result.parity and not result.parity.passed for _, result, _ in measured):
        notes.append(
            message("CHANGED: this engine changes answers, see the parity table; its rate buys another classifier")
        )
    if any(result.without_reference for _, result, _ in measured):
        notes.append(
            message("own: no weights here to compare with; quality was read through the same endpoint as the rate")
        )
    notes += crowd_notes((result for _, result, _ in measured), _SHOWN)
    if any(usable(result, summary.scenario) is None for _, result, summary in measured):
        notes.append(message("INVALID and UNSTABLE rates are not printed; their reasons are listed below"))
    slower = [f"{group.name} on {result.cell.engine}" for group, result in task.cells() if _slower_at_once(result)]
    if slower:
        notes.append(
            message(
                "slower at once than one by one, so disturbed or badly batched, measure again: {rows}",
                rows=", ".join(slower),
            )
        )
    return tuple(notes)


def _slower_at_once(result: Result) -> bool:
    """Whether batching lost more than single runs can differ by: no engine should, a disturbed machine can."""
    single, offline = usable(result, "single"), usable(result, "offline")
    return single is not None and offline is not None and offline.rate_rps < 0.9 * single.rate_rps
