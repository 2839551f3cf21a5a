"""The run: task by task, classifier by classifier; results are stored as they come."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import StoreError
from bench.execution.cells import Entry
from bench.execution.console import RunConsole
from bench.execution.context import Context
from bench.execution.measuring import entries_of, measure
from bench.execution.processes import Workers
from bench.execution.training import check_recipes, train
from bench.files.cache import SCRATCH, cache_dir, clear_abandoned
from bench.machine.environment import describe_environment
from bench.plan.plan import Plan, TaskPlan
from bench.results.evidence import store_texts
from bench.results.records import Result, RunSettings
from bench.results.selftest import last_selftest
from bench.results.store import ENVIRONMENT, SETTINGS, read_record, result_path, write_json, write_record

LOCK = ".lock"
LOCK_TEXT = "held by bench run while it works in this folder\n"


def run_plan(plan: Plan, console: RunConsole) -> tuple[Result, ...]:
    """Bring every cell of the plan to a result, in the plan's order; safe to interrupt and to call again."""
    with _only_run(plan.out):
        clear_abandoned(cache_dir())
        context = Context(plan, console, Workers(plan.threads), cache_dir(), plan.out / "logs")
        check_recipes(context)
        environment = describe_environment(plan.device, plan.threads) | {"selftest": last_selftest()}
        write_json(plan.out / ENVIRONMENT, environment)
        results: list[Result] = []
        _write_settings(plan, results)
        for task in plan.tasks:
            store_texts(plan.out, task.data)
            for batch in _batches(context, task):
                results += _finish(context, batch)
                _write_settings(plan, results)
        return tuple(results)


def _batches(context: Context, task: TaskPlan) -> Iterator[list[Entry | Result]]:
    """One repeat: each classifier is finished before the next. Several: all of a task together, to be shuffled."""
    whole_task: list[Entry | Result] = []
    for recipe in context.plan.recipes:
        for seed in range(context.plan.seeds):
            trained = train(context, task, recipe, seed)
            if isinstance(trained, Result):
                rows: list[Entry | Result] = [trained]
            else:
                _point_to(context.out / "classifiers" / trained.name, trained.classifier.path)
                rows = entries_of(context, trained)
            if task.tier.repeats == 1:
                yield rows
            else:
                whole_task += rows
    yield whole_task


def _point_to(link: Path, folder: Path) -> None:
    """Let people find the classifier from the run folder: `bench predict RUN/classifiers/NAME`."""
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(folder, target_is_directory=True)


def _finish(context: Context, rows: Iterable[Entry | Result]) -> list[Result]:
    """Results of the rows, in their order; rows that never came to an engine are stored as they are."""
    rows = list(rows)
    measured = {result.cell.id: result for result in measure(context, [row for row in rows if isinstance(row, Entry)])}
    results = []
    for row in rows:
        if isinstance(row, Result):
            write_record(result_path(context.out, row.cell.id), row)
            results.append(row)
        elif row.listed:
            results.append(measured[row.cell.id])
    return results


@contextmanager
def _only_run(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two runs at once would disturb each other's measurements."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"--out {folder} is a file; name a folder")
    if folder.is_dir() and any(entry.name != LOCK for entry in folder.iterdir()) and not _is_run(folder):
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
    for path in folder.rglob(f"{SCRATCH}*"):
        if path.is_file():
            path.unlink()


def _write_settings(plan: Plan, results: Iterable[Result]) -> None:
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
        cells=tuple(result.cell.id for result in results),
    )
    write_record(plan.out / SETTINGS, settings)
