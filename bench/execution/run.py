"""Runs a plan, cheap classifiers first, and stores results as they come."""

from __future__ import annotations

import fcntl
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.errors import StoreError
from bench.execution.announcing import announce_time, announce_work, conclude
from bench.execution.calibrate import settle_engines
from bench.execution.cells import Entry
from bench.execution.console import RunConsole
from bench.execution.context import Context
from bench.execution.entries import entries_of
from bench.execution.measuring import measure
from bench.execution.processes import Workers
from bench.execution.schedule import Budget, Step, steps_of
from bench.execution.sharded import settle_shared_engines, steps_of_shard
from bench.execution.sharing import SHARDS, STORE, Sharing
from bench.execution.standings import standings_line, standings_table
from bench.execution.training import check_recipes, left_out, train
from bench.files.cache import SCRATCH, cache_dir, clear_abandoned
from bench.machine.environment import describe_environment
from bench.plan.plan import Plan
from bench.results.evidence import store_texts
from bench.results.records import Result, RunSettings
from bench.results.selftest import last_selftest
from bench.results.store import ENVIRONMENT, SETTINGS, read_record, read_result, result_path, write_json, write_record

LOCK = ".lock"
LOCK_TEXT = "held by bench run while it works in this folder\n"


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
    with _only_run(plan.out):
        clear_abandoned(cache_dir())
        workers = workers or Workers(plan.threads)
        context = Context(plan, console, workers, cache_dir(), plan.out / "logs", budget, sharing)
        check_recipes(context)
        environment = describe_environment(plan.device, plan.threads) | {"selftest": last_selftest()}
        write_json(plan.out / ENVIRONMENT, environment)
        for task in plan.tasks:
            store_texts(plan.out, task.data)
        earlier = _earlier_results(plan.out)
        _write_settings(context, earlier, None)
        announce_work(context)
        context, steps = _settle(context)
        expected_s = announce_time(context, steps)
        results = _run_steps(context, steps, expected_s, earlier)
        _write_settings(context, results, expected_s)
        conclude(context, expected_s)
        return tuple(results)


def _settle(context: Context) -> tuple[Context, list[Step]]:
    """The run with its engines, and the classifiers that are this worker's to do."""
    if context.sharing is None:
        context, calibrations = settle_engines(context)
        return context, steps_of(context.plan, calibrations)
    shard = context.sharing.shard
    context, calibrations, items = settle_shared_engines(context, context.sharing)
    steps = steps_of(context.plan, calibrations)
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
    """The rows of this run, then those of the last that none of them replaces."""
    replaced = {_place_of(result) for result in done}
    return [*done, *(result for result in earlier if _place_of(result) not in replaced)]


def _place_of(result: Result) -> tuple[str, str, int, str | None]:
    cell = result.cell
    return cell.task, cell.recipe, cell.seed, cell.engine


def _run_steps(
    context: Context, steps: Sequence[Step], expected_s: float | None, earlier: Sequence[Result]
) -> list[Result]:
    """Each step's rows, stored and shown as they come; in the plan's order in the end."""
    results_of: dict[tuple[str, str, int], list[Result]] = defaultdict(list)
    done: list[Result] = []
    for batch in _batches(context, steps):
        for step, results in _finish(context, batch):
            results_of[step.task.data.name, step.recipe.id, step.seed] += results
            done += results
        _write_settings(context, _with_earlier(done, earlier), expected_s)
        context.console.board(standings_table(done))
        task = batch[-1][0].task.data.name
        if not context.console.is_live and (line := standings_line(done, task)):
            context.console.line(line)
    plan = context.plan
    return [
        result
        for task in plan.tasks
        for recipe in plan.recipes
        for seed in range(plan.seeds)
        for result in results_of[task.data.name, recipe.id, seed]
    ]


Measurable = list[Entry | Result]


def _batches(context: Context, steps: Sequence[Step]) -> Iterator[list[tuple[Step, Measurable]]]:
    """One repeat: each classifier is finished before the next. Several: all of a task together, to be shuffled."""
    for step in steps:
        if step.task.tier.repeats == 1:
            yield [(step, _measurable(context, step))]
    for task in context.plan.tasks:
        if task.tier.repeats > 1:
            yield [(step, _measurable(context, step)) for step in steps if step.task is task]


def _measurable(context: Context, step: Step) -> Measurable:
    """What is to be measured of a step's classifier, after its training; or the row that says why there is nothing."""
    reason = context.budget.why_not(step.expected_s)
    if reason:
        context.console.line(f"{step.name}: skipped: {reason}")
        return [left_out(context, step.task, step.recipe, step.seed, reason)]
    trained = train(context, step.task, step.recipe, step.seed)
    if isinstance(trained, Result):
        return [trained]
    if trained.fit_wall_s and step.estimate:
        context.budget.learn(step.estimate.fit_s, trained.fit_wall_s)
    _point_to(context.out / "classifiers" / trained.name, trained.classifier.path)
    entries = entries_of(context, trained)
    return entries if step.engines is None else _of_shard(entries, step.engines)


def _of_shard(entries: Measurable, engines: frozenset[str]) -> Measurable:
    """The rows that a shard measures, and the reference's, which they are compared with."""
    return [
        entry
        for entry in entries
        if entry.cell.engine in engines or (isinstance(entry, Entry) and entry.engine.reference)
    ]


def _point_to(link: Path, folder: Path) -> None:
    """Let people find the classifier from the run folder: `bench predict RUN/classifiers/NAME`."""
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(folder, target_is_directory=True)


def _finish(context: Context, batch: Sequence[tuple[Step, Measurable]]) -> list[tuple[Step, list[Result]]]:
    """Results of each step's rows, in their order; rows that never came to an engine are stored as they are."""
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


@contextmanager
def _only_run(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two runs at once would disturb each other's measurements."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"--out {folder} is a file; name a folder")
    if (
        folder.is_dir()
        and any(entry.name not in (LOCK, SHARDS, STORE) for entry in folder.iterdir())
        and not _is_run(folder)
    ):
        raise StoreError(f"--out {folder} holds other things than a run; name an empty or a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(f"another `bench run` is working in {folder}; wait for it or use another --out") from error
        if (folder / SETTINGS).exists():
            read_record(folder / SETTINGS, RunSettings)
        lock.truncate(0)
        lock.write(LOCK_TEXT)
        lock.flush()
        _clear_scratch(folder)
        yield


def _is_run(folder: Path) -> bool:
    """Whether a run began here; one interrupted in its first seconds has left its lock and no settings yet."""
    lock = folder / LOCK
    return (folder / SETTINGS).exists() or (lock.is_file() and lock.read_bytes() == LOCK_TEXT.encode())


def _clear_scratch(folder: Path) -> None:
    """What a killed run was writing; nobody else can be writing while the lock is held."""
    for entry in folder.iterdir():
        if entry.name in (SHARDS, STORE):
            continue  # what other workers are writing
        for path in [entry, *entry.rglob(f"{SCRATCH}*")]:
            if path.name.startswith(SCRATCH) and path.is_file():
                path.unlink()


def _write_settings(context: Context, results: Iterable[Result], expected_s: float | None) -> None:
    plan = context.plan
    settings = RunSettings(
        tasks=tuple(task.data.name for task in plan.tasks),
        models=plan.models,
        tier=", ".join(dict.fromkeys(task.tier.name for task in plan.tasks)),
        scenarios=plan.scenarios,
        engines=tuple(engine.name for engine in plan.engines),
        recipes=tuple(recipe.id for recipe in plan.recipes),
        seeds=plan.seeds,
        limit=plan.limit,
        device=plan.device,
        threads=plan.threads,
        price_per_hour=plan.price_per_hour,
        study=plan.study.title if plan.study else None,
        study_axis=plan.study.axis if plan.study else None,
        budget_s=plan.budget_s,
        estimated_s=expected_s,
        took_s=context.budget.elapsed_s,
        cells=tuple(result.cell.id for result in results),
    )
    write_record(plan.out / SETTINGS, settings)
