"""Runs a plan, cheap classifiers first, and stores results as they come."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.errors import StoreError
from bench.execution.announcing import announce_time, announce_work, conclude
from bench.execution.calibrate import settle_engines
from bench.execution.cells import Entry
from bench.execution.console import RunConsole
from bench.execution.context import Context
from bench.execution.entries import entries_of
from bench.execution.known_rows import known_results, point_to_cached, remember_rows, with_keys
from bench.execution.measuring import measure
from bench.execution.processes import Workers
from bench.execution.pulling import pulled
from bench.execution.run_folder import in_plan_order, only_run, point_to, write_settings
from bench.execution.schedule import Budget, Step, steps_of
from bench.execution.sharded import settle_shared_engines, steps_of_shard
from bench.execution.sharing import Sharing
from bench.execution.standings import standings_line, standings_table
from bench.execution.training import check_recipes, left_out, train
from bench.files.cache import cache_dir, clear_abandoned
from bench.machine.environment import describe_environment
from bench.plan.plan import Plan
from bench.plan.shards import Turns
from bench.results.evidence import store_texts
from bench.results.records import Result, RunSettings
from bench.results.selftest import last_selftest
from bench.results.store import ENVIRONMENT, SETTINGS, read_record, read_result, result_path, write_json, write_record

ENDING_S = 30.0  # at most, of a worker whose starter was killed, until another may take its folder


def run_plan(
    plan: Plan,
    console: RunConsole,
    workers: Workers | None = None,
    budget: Budget | None = None,
    sharing: Sharing | None = None,
) -> tuple[Result, ...]:
    """Bring every cell of the plan to a result; safe to interrupt and to call again. Results in the plan's order.

    Cheap classifiers come first. `workers` are those that the caller has started already; `budget` counts from the
    command's start. With `sharing`, what other workers finished is taken from the store; a shard does its part.
    """
    budget = budget or Budget(plan.budget_s)
    in_turns = sharing is not None and isinstance(sharing.shard, Turns)
    with only_run(plan.out, ENDING_S if in_turns else 0.0):
        clear_abandoned(cache_dir())
        workers = workers or Workers(plan.threads)
        context = Context(plan, console, workers, cache_dir(), plan.out / "logs", budget, sharing)
        check_recipes(context)
        environment = describe_environment(plan.device, plan.threads) | {"selftest": last_selftest()}
        write_json(plan.out / ENVIRONMENT, environment)
        for task in plan.tasks:
            store_texts(plan.out, task.data)
        earlier = _earlier_results(plan.out)
        write_settings(context.plan, context.budget, earlier, None)
        announce_work(context)
        context, steps = _settle(context)
        expected_s = announce_time(context, steps) if isinstance(steps, list) else None
        results = _run_steps(context, steps, expected_s, earlier)
        write_settings(context.plan, context.budget, results, expected_s)
        conclude(context, expected_s)
        return tuple(results)


def _settle(context: Context) -> tuple[Context, Iterable[Step]]:
    """The run with its engines, and the classifiers that this worker does, an iterator of those it takes in turns."""
    if context.sharing is None:
        context, calibrations = settle_engines(context)
        return context, steps_of(context.plan, calibrations)
    sharing, shard = context.sharing, context.sharing.shard
    context, calibrations, items = settle_shared_engines(context, sharing)
    steps = with_keys(steps_of(context.plan, calibrations), items)
    if isinstance(shard, Turns):
        return context, pulled(sharing, shard, steps, items)
    return context, steps if shard is None else steps_of_shard(steps, items, shard)


def _earlier_results(folder: Path) -> list[Result]:
    """What the folder's last run had: it stays listed until this run is complete, in case it is interrupted."""
    if not (folder / SETTINGS).exists():
        return []
    listed = read_record(folder / SETTINGS, RunSettings).cells
    return [result for cell_id in listed if (result := _readable(folder, cell_id))]


def _readable(folder: Path, cell_id: str) -> Result | None:
    """A stored result; None where it is gone or damaged: then this run writes it anew or does without it."""
    try:
        return read_result(folder, cell_id)
    except StoreError:
        return None


def _with_earlier(done: Sequence[Result], earlier: Sequence[Result]) -> list[Result]:
    """The results of this run, then those of the last that none of them replaces."""
    replaced = {_place_of(result) for result in done}
    return [*done, *(result for result in earlier if _place_of(result) not in replaced)]


def _place_of(result: Result) -> tuple[str, str, int, str | None]:
    cell = result.cell
    return cell.task, cell.recipe, cell.seed, cell.engine


def _run_steps(
    context: Context, steps: Iterable[Step], expected_s: float | None, earlier: Sequence[Result]
) -> list[Result]:
    """Each step's results, stored and shown as they come; in the plan's order in the end."""
    results_of: dict[tuple[str, str, int], list[Result]] = defaultdict(list)
    done: list[Result] = []
    for batch in _batches(context, steps):
        for step, results in _finish(context, batch):
            results_of[step.task.data.name, step.recipe.id, step.seed] += results
            done += results
        write_settings(context.plan, context.budget, _with_earlier(done, earlier), expected_s)
        context.console.board(standings_table(done))
        task = batch[-1][0].task.data.name
        if not context.console.is_live and (line := standings_line(done, task)):
            context.console.line(line)
    return in_plan_order(context.plan, results_of)


Measurable = list[Entry | Result]


def _batches(context: Context, steps: Iterable[Step]) -> Iterator[list[tuple[Step, Measurable]]]:
    """One repeat, or a piece taken in turns: each classifier is finished before the next.

    Several repeats: all of a task together, to be shuffled.
    """
    in_turns = context.sharing is not None and isinstance(context.sharing.shard, Turns)
    together: dict[str, list[Step]] = defaultdict(list)
    for step in steps:
        if in_turns or step.task.tier.repeats == 1:
            yield [(step, _measurable(context, step))]
        else:
            together[step.task.data.name].append(step)
    for task in context.plan.tasks:
        if of_task := together[task.data.name]:
            yield [(step, _measurable(context, step)) for step in of_task]


def _measurable(context: Context, step: Step) -> Measurable:
    """What is to be measured of a step's classifier, after its training; or the result that says why not.

    What other workers have measured all of needs its results alone: neither base model nor classifier is fetched.
    """
    if context.sharing:
        known, whole = known_results(context.sharing, context.out, step, context.plan.retry)
        if whole:
            point_to_cached(context.sharing, step, context.out)
            return list(known)
    reason = context.budget.why_not(step.expected_s)
    if reason:
        context.console.line(f"{step.name}: skipped: {reason}")
        return [left_out(context, step.task, step.recipe, step.seed, reason)]
    trained = train(context, step.task, step.recipe, step.seed)
    if isinstance(trained, Result):
        remember_rows(context, step, None, [trained])
        return [trained]
    if trained.fit_wall_s and step.estimate:
        context.budget.learn(step.estimate.fit_s, trained.fit_wall_s)
    point_to(context.out / "classifiers" / trained.name, trained.classifier.path)
    entries = entries_of(context, trained)
    remember_rows(context, step, trained.classifier.path.name, entries)
    return entries if step.engines is None else _of_shard(entries, step.engines)


def _of_shard(entries: Measurable, engines: frozenset[str]) -> Measurable:
    """The results that a shard measures, and the reference's, which they are compared with."""
    return [
        entry
        for entry in entries
        if entry.cell.engine in engines or (isinstance(entry, Entry) and entry.engine.reference)
    ]


def _finish(context: Context, batch: Sequence[tuple[Step, Measurable]]) -> list[tuple[Step, list[Result]]]:
    """The results of each step, in their order; those that never came to an engine are stored as they are."""
    entries = [entry for _, listed in batch for entry in listed if isinstance(entry, Entry)]
    expected_s = {
        entry.cell.id: step.estimate.serve_s.get(entry.engine.name, 0.0)
        for step, listed in batch
        if step.estimate
        for entry in listed
        if isinstance(entry, Entry)
    }
    measured = {result.cell.id: result for result in measure(context, entries, expected_s)}
    finished = []
    for step, listed in batch:
        results = []
        for entry in listed:
            if isinstance(entry, Result):
                write_record(result_path(context.out, entry.cell.id), entry)
                results.append(entry)
            elif entry.listed:
                results.append(measured[entry.cell.id])
        finished.append((step, results))
    return finished
