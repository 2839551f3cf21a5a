"""The RPS tables: one request at a time, everything at once, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench.results.records import Result
from bench.results.speed_records import LoadSummary
from bench.types import Scenario
from reports.content.published import Published, published_cell, published_column
from reports.content.rows import Group, TaskRows
from reports.content.speed import (
    LIMIT_COLUMNS,
    against_reference,
    answers_mark,
    limit_notes,
    limit_shares,
    median_run,
    precision_of,
    random_notes,
    tuning_notes,
    usable,
    verdict,
    weight_notes,
)
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers, with_column
from reports.render.words import joined, message

SCENARIOS: tuple[Scenario, ...] = ("single", "offline")

_NAMES = (Column("classifier"), Column("method", from_width=120), Column("engine"), Column("prec.", from_width=90))
_PERCENTILES = message("a percentile stands only where enough queries support it (p90 64, p99 662)")
_OFFLINE = message(
    "recomp.: compilations in the timed runs, which must be 0; padding: computed tokens that are no text"
)


def rps_tables(task: TaskRows) -> list[Table]:
    """One table a scenario that was measured."""
    tables = [table for table in (_single(task), _offline(task)) if table.rows]
    return [*tables[:-1], *(replace(table, notes=(*table.notes, *_notes(task))) for table in tables[-1:])]


def stage_tables(task: TaskRows) -> list[Table]:
    """One row a scenario of a row whose figures can be believed."""
    table = _stages(task)
    return [table] if table.rows else []


def _single(task: TaskRows) -> Table:
    several = _has_several_runs(task, "single")
    columns = (
        *_NAMES,
        numbers("RPS", "req/s"),
        *((numbers("range", "req/s"),) if several else ()),
        numbers("p50", "ms"),
        numbers("p90", "ms", 90 if several else 0),
        numbers("p99", "ms"),
        numbers("vs ref"),
        *LIMIT_COLUMNS,
        *_mark_columns(several),
    )
    rows: list[Row] = []
    published = Published(task)
    found = [published.find(group, ("rps",), row.cell.engine) for group, row, _ in _measured(task, "single")]
    for group, row, summary in _measured(task, "single"):
        good = usable(row, "single")
        rows.append(
            (
                *_names(group, row),
                figures.number(good.rate_rps) if good else message(verdict(row, "single")),
                *((_range(summary),) if several else ()),
                *map(figures.number, (good.p50_ms, good.p90_ms, good.p99_ms) if good else (None, None, None)),
                figures.ratio(against_reference(group, row, "single")),
                *limit_shares(row, "single"),
                *_marks(row, summary),
            )
        )
    title = message("RPS: one request at a time (LoadGen SingleStream, tier {tier})", tier=_tiers(task, "single"))
    table = Table(title, columns, tuple(rows), (_PERCENTILES, *published.notes(found)))
    return with_column(table, published_column(), map(published_cell, found)) if any(found) else table


def _offline(task: TaskRows) -> Table:
    several = _has_several_runs(task, "offline")
    columns = (
        *_NAMES,
        numbers("rate", "texts/s"),
        *((numbers("range", "texts/s"),) if several else ()),
        numbers("tokens", "per s"),
        numbers("padding", from_width=90 if several else 0),
        numbers("recomp.", from_width=84),
        numbers("vs ref"),
        *LIMIT_COLUMNS,
        *_mark_columns(several),
    )
    rows = []
    for group, row, summary in _measured(task, "offline"):
        good = usable(row, "offline")
        run = median_run(good) if good else None
        rows.append(
            (
                *_names(group, row),
                figures.number(good.rate_rps) if good else message(verdict(row, "offline")),
                *((_range(summary),) if several else ()),
                figures.number(run.tokens_per_s if run else None),
                figures.percent(run.stages.padding_share if run else None),
                figures.count(_recompiles(row)),
                figures.ratio(against_reference(group, row, "offline")),
                *limit_shares(row, "offline"),
                *_marks(row, summary),
            )
        )
    title = message("Throughput: all texts at once (LoadGen Offline, tier {tier})", tier=_tiers(task, "offline"))
    return Table(title, columns, tuple(rows), (_OFFLINE,))


def _stages(task: TaskRows) -> Table:
    columns = (
        *_NAMES,
        Column("scenario"),
        numbers("tokenise"),
        numbers("queue"),
        numbers("forward"),
        numbers("post"),
        numbers("warm-up", from_width=90),
    )
    rows = []
    for group, row in task.cells():
        for scenario in SCENARIOS:
            good = usable(row, scenario)
            run = median_run(good) if good else None
            if run is None:
                continue
            parts = (run.stages.tokenise_s, run.stages.queue_s, run.stages.forward_s, run.stages.post_s)
            total = sum(parts)
            shares = [figures.percent(part / total if total > 0 else None) for part in parts]
            rows.append((*_names(group, row), scenario, *shares, figures.duration(run.warmup_s)))
    return Table("Where the time goes inside a request", columns, tuple(rows), (message("shares of the median run"),))


def _measured(task: TaskRows, scenario: Scenario) -> Iterator[tuple[Group, Result, LoadSummary]]:
    for group, row in task.cells():
        if scenario in row.load:
            yield group, row, row.load[scenario]


def _mark_columns(several: bool) -> tuple[Column, ...]:
    return Column("answers"), Column("LoadGen", from_width=90 if several else 0), Column("tier", from_width=90)


def _names(group: Group, row: Result) -> Row:
    return group.name, group.method, row.cell.engine or MISSING, precision_of(row)


def _marks(row: Result, summary: LoadSummary) -> Row:
    return answers_mark(row), message(verdict(row, summary.scenario)), summary.tier


def _range(summary: LoadSummary) -> str:
    """The spread over several runs, shown for unstable rows too: it says what was wrong with them."""
    if not summary.valid or len(summary.runs) < 2:
        return MISSING
    return figures.span(summary.rate_low_rps, summary.rate_high_rps)


def _recompiles(row: Result) -> int | None:
    """Summed over the timed runs of every scenario; None for an engine that never compiles."""
    counts = [run.recompiles for summary in row.load.values() for run in summary.runs if run.recompiles is not None]
    return sum(counts) if counts else None


def _has_several_runs(task: TaskRows, scenario: Scenario) -> bool:
    return any(len(summary.runs) > 1 for _, _, summary in _measured(task, scenario))


def _tiers(task: TaskRows, scenario: Scenario) -> str:
    return ", ".join(dict.fromkeys(summary.tier for _, _, summary in _measured(task, scenario)))


def _retries_note(row: Result, summary: LoadSummary) -> str | None:
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
        engine=row.cell.engine or MISSING,
        scenario=summary.scenario,
        reasons=", ".join(f"{reason}: {count}" for reason, count in sorted(retried.items())),
    )


def _notes(task: TaskRows) -> tuple[str, ...]:
    """What a reader must know of every rate, after the last of the tables."""
    measured = [entry for scenario in SCENARIOS for entry in _measured(task, scenario)]
    references = joined(" or ", dict.fromkeys(row.parity.reference for _, row, _ in measured if row.parity))
    notes: list[str] = []
    if references:
        notes.append(
            message(
                "vs ref: rate over that of the same classifier on its reference engine ({references}, fp32)",
                references=references,
            )
        )
    notes += limit_notes(row for _, row, _ in measured)
    notes += weight_notes(row for _, row, _ in measured)
    notes += random_notes(task.groups)
    notes += tuning_notes(row for _, row, _ in measured)
    notes += [note for _, row, summary in measured if (note := _retries_note(row, summary))]
    single_runs = dict.fromkeys(summary.tier for _, _, summary in measured if len(summary.runs) == 1)
    if single_runs:
        notes.append(
            message(
                "tier {tiers}: one run a row, so there is no range: take differences under 10 % for none",
                tiers=", ".join(single_runs),
            )
        )
    if any(row.parity and not row.parity.passed for _, row, _ in measured):
        notes.append(
            message("CHANGED: this engine changes answers, see the parity table; its rate buys another classifier")
        )
    if any(row.without_reference for _, row, _ in measured):
        notes.append(
            message("own: no weights here to compare with; quality was read through the same endpoint as the rate")
        )
    if any(usable(row, summary.scenario) is None for _, row, summary in measured):
        notes.append(message("INVALID and UNSTABLE rates are not printed; their reasons are listed below"))
    slower = [f"{group.name} on {row.cell.engine}" for group, row in task.cells() if _slower_at_once(row)]
    if slower:
        notes.append(
            message(
                "slower at once than one by one, so disturbed or badly batched, measure again: {rows}",
                rows=", ".join(slower),
            )
        )
    return tuple(notes)


def _slower_at_once(row: Result) -> bool:
    """Whether batching lost more than single runs can differ by: no engine should, a disturbed machine can."""
    single, offline = usable(row, "single"), usable(row, "offline")
    return single is not None and offline is not None and offline.rate_rps < 0.9 * single.rate_rps
