"""Merges several machines' runs into one run folder, each result marked with its machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.errors import StoreError, UsageError
from bench.files.cache import whole_folder
from bench.results.records import Result, RunSettings, StoredRun
from bench.results.speed_records import LoadSummary
from bench.results.store import (
    ENVIRONMENT,
    SETTINGS,
    answers_path,
    inside,
    open_run,
    read_latencies,
    result_path,
    validation_path,
    write_answers,
    write_json,
    write_latencies,
    write_record,
)

LETTERS = 8


def merge_runs(folders: Sequence[Path], out: Path) -> None:
    """Write the merged run folder; the runs stay as they are.

    Raises UsageError for fewer than two runs, StoreError where a run names no machine, is itself merged, or two runs
    of one machine measured the same cell.
    """
    if len(folders) < 2:
        raise UsageError("bench merge takes two or more run folders")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"--out {out} exists and is not an empty folder; name a new one")
    runs = [open_run(folder) for folder in folders]
    machines = [machine_name(run) for run in runs]
    _refuse_duplicates(runs, machines)
    if out.is_dir():
        out.rmdir()
    with whole_folder(out) as scratch:
        pairs = zip(runs, machines, strict=True)
        results = [result for run, machine in pairs for result in _copy(run, machine, scratch)]
        write_json(scratch / ENVIRONMENT, {"machines": _environments(runs, machines)})
        write_record(scratch / SETTINGS, _settings([run.settings for run in runs], results))


def machine_name(run: StoredRun) -> str:
    """The first letters of the hardware fingerprint, which alone decides what is compared; the provenance says more."""
    if run.environment.get("machines"):
        raise StoreError(f"{run.folder} is a merged run; merge the runs it was made of")
    fingerprint = run.environment.get("hardware_sha256")
    if not fingerprint:
        raise StoreError(f"{run.folder}/{ENVIRONMENT} names no hardware_sha256; run again to write it anew")
    if not re.fullmatch(r"[0-9a-f]{8,64}", str(fingerprint)):
        raise StoreError(f"{run.folder}/{ENVIRONMENT}: hardware_sha256 is no hash; run again to write it anew")
    return str(fingerprint)[:LETTERS]


def _refuse_duplicates(runs: Sequence[StoredRun], machines: Sequence[str]) -> None:
    """The same cell is that of the same data, recipe, base model, seed and engine; ids also hold code versions."""
    seen: dict[tuple[Any, ...], Path] = {}
    for run, machine in zip(runs, machines, strict=True):
        for result in run.results:
            cell = result.cell
            key = (machine, result.data.fingerprint, cell.task, cell.recipe, cell.base_model, cell.seed, cell.engine)
            if key in seen:
                raise StoreError(
                    f"{cell.task} {cell.recipe} s{cell.seed} on {cell.engine or '-'} stands in {seen[key]} and in "
                    f"{run.folder}, both of machine {machine}; leave one of the two runs out"
                )
            seen[key] = run.folder


def _copy(run: StoredRun, machine: str, target: Path) -> Iterable[Result]:
    """The run's results under ids of their own, with the files that the reports read."""
    for result in run.results:
        cell = result.cell.model_copy(update={"id": f"{result.cell.id}.{machine}", "machine": machine})
        changes: dict[str, Any] = {"cell": cell}
        if result.predictions_file is not None:
            path = answers_path(target, cell.id)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_answers(path, run.answers[result.cell.id])
            changes["predictions_file"] = str(path.relative_to(target))
        if result.validation_file is not None:
            path = validation_path(target, f"{Path(result.validation_file).stem}.{machine}")
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                write_answers(path, run.validation[result.cell.id])
            changes["validation_file"] = str(path.relative_to(target))
        changes["load"] = {
            name: _with_latencies(run, summary, machine, target) for name, summary in result.load.items()
        }
        moved = result.model_copy(update=changes)
        write_record(result_path(target, cell.id), moved)
        yield moved


def _with_latencies(run: StoredRun, summary: LoadSummary, machine: str, target: Path) -> LoadSummary:
    """Raw latencies go into a folder of their machine; a run folder may have lost them, the figures stand without."""
    moved = []
    for each in summary.runs:
        source = inside(run.folder, each.latencies_file) if each.latencies_file else None
        kept = None
        if source is not None and source.is_file():
            kept = Path("latencies") / machine / source.name
            write_latencies(target / kept, read_latencies(source))
        moved.append(each.model_copy(update={"latencies_file": kept and str(kept)}))
    return summary.model_copy(update={"runs": tuple(moved)})


def _environments(runs: Sequence[StoredRun], machines: Sequence[str]) -> list[dict[str, Any]]:
    """One a machine and software: runs of one machine that agree in both are one."""
    found: list[dict[str, Any]] = []
    for run, machine in zip(runs, machines, strict=True):
        settings = {"device": run.settings.device, "threads": run.settings.threads}
        environment = {**run.environment, **settings, "machine": machine}
        if not any(_same(environment, other) for other in found):
            found.append(environment)
    return found


def _same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    names = ("machine", "device", "threads", "harness", "git", "python", "packages")
    return all(first.get(name) == second.get(name) for name in names)


def _settings(all_settings: Sequence[RunSettings], results: Sequence[Result]) -> RunSettings:
    """What the runs have in common, and where they differ all of it."""

    def together(name: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(value for settings in all_settings for value in getattr(settings, name)))

    def joined(name: str) -> str:
        return ", ".join(dict.fromkeys(str(getattr(settings, name)) for settings in all_settings))

    first = all_settings[0]
    return first.model_copy(
        update={
            **{name: together(name) for name in ("tasks", "scenarios", "engines", "recipes")},
            **{name: joined(name) for name in ("models", "tier", "device")},
            "seeds": max(settings.seeds for settings in all_settings),
            "limit": first.limit if len({settings.limit for settings in all_settings}) == 1 else None,
            "price_per_hour": None,  # of which machine would it be?
            "cells": tuple(result.cell.id for result in results),
        }
    )
