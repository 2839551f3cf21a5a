"""Measures the cells of trained classifiers that have no result yet, and puts their parts together."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bench.execution import measure_job, memory_job
from bench.execution.cells import Entry, Reference, assemble, failed_result
from bench.execution.context import Context
from bench.execution.processes import Outcome
from bench.execution.sharing import is_settled
from bench.files.leases import ASK_AGAIN_S, Lease
from bench.plan.engines import reference_engine
from bench.results.records import MeasuredPart, Result, Status
from bench.results.speed_records import most_crowded
from bench.results.store import (
    LATENCIES,
    answers_path,
    part_path,
    read_answers,
    read_record,
    read_result,
    result_path,
    validation_path,
    write_record,
)
from bench.types import REMOTE, Workplace

SHUFFLE_SEED = 0


def measure(context: Context, entries: Sequence[Entry], expected_s: Mapping[str, float]) -> list[Result]:
    """Measure what has no settled result yet and return the results of all listed entries, in their order.

    `expected_s` of each cell by its id, where it can be told: what does not fit into the time given is left out.
    """
    return (_measure_in_turn if context.sharing else _measure_here)(context, entries, expected_s)


def _measure_in_turn(context: Context, entries: Sequence[Entry], expected_s: Mapping[str, float]) -> list[Result]:
    """What other workers have measured is taken from them; what they measure now is waited for in the end.

    A cell comes after the one it is compared with. Repeats of several cells are measured together, to be shuffled.
    """
    sharing = context.sharing
    assert sharing is not None  # noqa: S101 - asked by the caller
    results: dict[str, Result] = {}
    waiting = list(entries)
    while waiting:
        leases: dict[str, Lease | None] = {}
        for entry in waiting:
            if entry.reference_id in {other.cell.id for other in waiting} - {entry.cell.id, *leases}:
                continue
            if sharing.fetch_cell(context.out, entry.cell.id, settled=context.plan.retry):
                leases[entry.cell.id] = None
            elif lease := sharing.worker.try_lease(entry.cell.id, entry.title):
                leases[entry.cell.id] = lease
                sharing.fetch_cell(context.out, entry.cell.id, settled=context.plan.retry)  # done a moment ago?
                if entry.repeats == 1:
                    break
        try:
            taken = [entry for entry in waiting if entry.cell.id in leases]
            found = _measure_here(context, taken, expected_s)
            results |= {result.cell.id: result for result in found}
            for entry in taken:
                if leases[entry.cell.id]:
                    _publish(context, entry, results.get(entry.cell.id))
        finally:
            for lease in filter(None, leases.values()):
                sharing.worker.release(lease)
        waiting = [entry for entry in waiting if entry.cell.id not in leases]
        if not leases:
            time.sleep(ASK_AGAIN_S)
    return [results[entry.cell.id] for entry in entries if entry.listed]


def _publish(context: Context, entry: Entry, result: Result | None) -> None:
    """A listed cell by its result; a reference nobody asked for by its answers, once there are some."""
    if context.sharing is None or (result is None and not answers_path(context.out, entry.cell.id).exists()):
        return
    if result is None or not result.over_budget:
        context.sharing.publish_cell(context.out, entry.cell, result, again=context.plan.retry)


def _measure_here(context: Context, entries: Sequence[Entry], expected_s: Mapping[str, float]) -> list[Result]:
    done = {entry.cell.id: result for entry in entries if (result := _read_stored(context, entry))}
    waiting = [entry for entry in entries if entry.cell.id not in done]
    if context.plan.retry:
        _forget_parts(context, waiting)
    failures: dict[str, Outcome] = {}
    for entry, repeat in _order(waiting):
        if entry.cell.id not in failures and not part_path(context.out, entry.cell.id, repeat).exists():
            outcome = _measure_if_it_fits(context, entry, repeat, expected_s.get(entry.cell.id, 0.0) / entry.repeats)
            if outcome.status is not Status.OK:
                failures[entry.cell.id] = outcome
    for entry in waiting:
        if entry.listed:
            done[entry.cell.id] = _conclude(context, entry, failures.get(entry.cell.id))
    return [done[entry.cell.id] for entry in entries if entry.listed]


def _forget_parts(context: Context, entries: Iterable[Entry]) -> None:
    """What was measured of cells whose result does not count: it would be taken for measured again."""
    for entry in entries:
        if result_path(context.out, entry.cell.id).exists():
            for repeat in range(entry.repeats):
                part_path(context.out, entry.cell.id, repeat).unlink(missing_ok=True)


def _order(entries: Iterable[Entry]) -> list[tuple[Entry, int]]:
    """Every repeat of every cell; several repeats in a shuffled order, so that drift of the machine hits all alike."""
    order = [(entry, repeat) for entry in entries for repeat in range(entry.repeats)]
    if any(repeat for _, repeat in order):
        random.Random(SHUFFLE_SEED).shuffle(order)
    return order


def _measure_if_it_fits(context: Context, entry: Entry, repeat: int, expected_s: float) -> Outcome:
    reason = context.budget.why_not(expected_s)
    if reason:
        context.console.line(f"{entry.title}: skipped: {reason}")
        return Outcome(Status.SKIPPED, reason=reason, over_budget=True)
    outcome = _measure_once(context, entry, repeat)
    if outcome.status is Status.OK:
        context.budget.learn(expected_s, outcome.wall_s)
    return outcome


def _measure_once(context: Context, entry: Entry, repeat: int) -> Outcome:
    plan, cell_id = context.plan, entry.cell.id
    task = measure_job.MeasureTask(
        classifier_folder=entry.classifier.path,
        engine=entry.engine,
        data_folder=entry.task.data_folder,
        items=entry.items,
        scenarios=entry.scenarios,
        tier=entry.task.tier,
        repeat=repeat,
        place=Workplace(plan.device, entry.threads, context.cache),
        answers_file=answers_path(context.out, cell_id) if repeat == 0 else None,
        validation_file=validation_path(context.out, cell_id) if repeat == 0 and entry.answers_validation else None,
        latencies_folder=context.out / LATENCIES,
        latencies_name=f"{cell_id}.r{repeat}",
        loadgen_folder=context.out / "loadgen",
    )
    limit_s = plan.cell_limit_s or entry.task.tier.cell_limit_s
    outcome = context.run(
        entry.title, measure_job.measure, task, limit_s, f"{cell_id}.r{repeat}", alone=bool(entry.scenarios)
    )
    if outcome.status is Status.OK and repeat == 0:
        outcome = _with_memory(context, entry, outcome, limit_s)
    if outcome.status is Status.OK:
        write_record(part_path(context.out, cell_id, repeat), outcome.payload)
        context.console.line(f"{entry.title}: {_rates(outcome.payload)} ({outcome.wall_s:.1f} s)")
    else:
        context.console.line(f"{entry.title}: {outcome.status}: {outcome.reason}")
    return outcome


def _with_memory(context: Context, entry: Entry, measured: Outcome, limit_s: float) -> Outcome:
    """What was measured, with the peak memory of serving or why there is none; the result stands either way."""
    part: MeasuredPart = measured.payload
    if part.session.device == REMOTE or not entry.listed or part.unanswered or part.invalid == part.items:
        return measured
    data = entry.task.data
    task = memory_job.MemoryTask(
        classifier_folder=entry.classifier.path,
        engine=entry.engine,
        place=Workplace(context.plan.device, entry.threads, context.cache),
        texts=memory_job.longest_texts(data.test.texts[: entry.items], context.plan.device),
        examples=tuple(data.train.texts[: measure_job.WARMUP_TEXTS]),
    )
    title, log_name = f"{entry.title}: memory", f"{entry.cell.id}.memory"
    found = context.run(title, memory_job.measure_memory, task, limit_s, log_name, fresh=True)
    if found.status is not Status.OK:
        context.console.line(f"{title}: {found.status}: {found.reason}")
    figures = {"peak_rss_bytes": found.payload, "peak_rss_missing": found.reason}
    session = part.session.model_copy(update=figures)
    whole = part.model_copy(update={"session": session})
    return replace(measured, payload=whole, wall_s=measured.wall_s + found.wall_s)


def _rates(part: MeasuredPart) -> str:
    if part.unanswered:
        return f"INVALID: {part.unanswered} of {part.items} texts got no answer"
    if part.items and part.invalid == part.items:
        return f"INVALID: none of {part.items} answers is valid"
    rates = (f"{run.scenario} {f'{run.rate_rps:.1f}/s' if run.valid else run.verdict}" for run in part.runs)
    crowd = most_crowded(part.runs)
    beside = (crowd.described,) if crowd and crowd.beside_others else ()
    return "; ".join((", ".join(rates) or "reference answers", *beside))


def _conclude(context: Context, entry: Entry, failure: Outcome | None) -> Result:
    """Put the parts together and store the result."""
    if failure is not None:
        card = entry.task.data.card
        result = failed_result(
            entry.cell, card, failure.status, failure.reason, failure.wall_s, over_budget=failure.over_budget
        )
    else:
        parts = [
            read_record(part_path(context.out, entry.cell.id, repeat), MeasuredPart) for repeat in range(entry.repeats)
        ]
        answers = read_answers(answers_path(context.out, entry.cell.id))
        result = assemble(entry, parts, answers, _reference(context, entry), context.sharing is not None)
        if entry.reference_id and validation_path(context.out, entry.reference_id).exists():
            file = validation_path(context.out, entry.reference_id).relative_to(context.out)
            result = result.model_copy(update={"validation_file": str(file)})
    if context.sharing:
        result = result.model_copy(update={"node": socket.gethostname()})
    write_record(result_path(context.out, entry.cell.id), result)
    return result


def _reference(context: Context, entry: Entry) -> Reference | None:
    engine = reference_engine(entry.classifier.kind)
    if engine is None or entry.reference_id is None:
        return None
    part = part_path(context.out, entry.reference_id, 0)
    answers = answers_path(context.out, entry.reference_id)
    if not (part.exists() and answers.exists()):
        return None
    return Reference(
        name=engine.name,
        answers=read_answers(answers),
        token_sha256=read_record(part, MeasuredPart).token_sha256,
    )


def _read_stored(context: Context, entry: Entry) -> Result | None:
    """The result of an earlier run; failures count only while `--retry` is not given, results left out never."""
    result = read_result(context.out, entry.cell.id)
    if result is None or result.over_budget or (context.plan.retry and not is_settled(result)):
        return None
    return result
