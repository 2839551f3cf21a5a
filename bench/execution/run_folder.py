"""Keeps a run folder to one run at a time, and writes what the run was asked for into it."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bench.errors import StoreError
from bench.execution.schedule import Budget
from bench.execution.sharing import SHARDS, STORE
from bench.files.cache import SCRATCH
from bench.plan.plan import Plan
from bench.results.records import Result, RunSettings
from bench.results.store import SETTINGS, read_record, write_record

LOCK = ".lock"
ASK_S = 0.2
LOCK_TEXT = "held by bench run while it works in this folder\n"


@contextmanager
def only_run(folder: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the folder's lock: two runs at once would disturb each other's measurements.

    patience_s: how long another may still be ending, as a worker does whose starter was killed.
    """
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
        _lock(lock, folder, time.monotonic() + patience_s)
        if (folder / SETTINGS).exists():
            read_record(folder / SETTINGS, RunSettings)
        lock.truncate(0)
        lock.write(LOCK_TEXT)
        lock.flush()
        _clear_scratch(folder)
        yield


def _lock(lock: IO[str], folder: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() < deadline:
                time.sleep(ASK_S)
                continue
            raise StoreError(f"another `bench run` is working in {folder}; wait for it or use another --out") from error
        return


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


def write_settings(plan: Plan, budget: Budget, results: Iterable[Result], expected_s: float | None) -> None:
    """What the run was asked for, and its rows so far in their order."""
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
        took_s=budget.elapsed_s,
        cells=tuple(result.cell.id for result in results),
    )
    write_record(plan.out / SETTINGS, settings)


def in_plan_order(plan: Plan, rows_of: Mapping[tuple[str, str, int], Sequence[Result]]) -> list[Result]:
    """The rows of every classifier, a task, recipe and seed, as the plan has them."""
    return [
        result
        for task in plan.tasks
        for recipe in plan.recipes
        for seed in range(plan.seeds)
        for result in rows_of.get((task.data.name, recipe.id, seed), ())
    ]


def point_to(link: Path, folder: Path) -> None:
    """Let people find the classifier from the run folder: `bench predict RUN/classifiers/NAME`."""
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(folder, target_is_directory=True)
