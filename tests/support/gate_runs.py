"""Makes stored runs whose answers differ as a gate's test wants."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from synthetic_runs import full_run

from bench.gates.baseline import make_baseline
from bench.gates.check import check_run
from bench.quality.scores import measure_quality
from bench.results.records import Answers, Result, StoredRun
from bench.results.store import write_answers, write_json, write_record
from bench.results.verdicts import Check


def stored(run: StoredRun, folder: Path) -> Path:
    """The run as a folder on disk."""
    write_record(folder / "run.json", run.settings)
    write_json(folder / "environment.json", dict(run.environment))
    for result in run.results:
        write_record(folder / "cells" / f"{result.cell.id}.json", result)
    for cell_id, answers in run.answers.items():
        write_answers(folder / "predictions" / f"{cell_id}.parquet", answers)
    return folder


def with_answers(run: StoredRun, cell_id: str, answers: Answers) -> StoredRun:
    """The run with other answers of one cell, and the figures of these."""
    results = tuple(
        result.model_copy(update={"quality": measure_quality(answers, result.data.class_names)})
        if result.cell.id == cell_id and result.quality
        else result
        for result in run.results
    )
    return replace(run, results=results, answers={**run.answers, cell_id: answers})


def losing(answers: Answers, count: int, k: int) -> Answers:
    """The same answers, but this many right ones are wrong now."""
    right = np.flatnonzero(answers.prediction.labels == answers.labels)[:count]
    labels = answers.prediction.labels.copy()
    labels[right] = (labels[right] + 1) % k
    return replace(answers, prediction=replace(answers.prediction, labels=labels))


def changed(**lost: int) -> Check:
    run = full_run()
    baseline = make_baseline(run)
    for name, count in lost.items():
        cell_id = f"agnews.{name.replace('_', '-')}.s0.eager"
        run = with_answers(run, cell_id, losing(run.answers[cell_id], count, 4))
    return check_run(run, baseline)


def run_pytest(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A pytest of its own, also where this one is xdist's worker: there pytest-benchmark would measure nothing."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rfs", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def with_data(run: StoredRun, **changes: object) -> StoredRun:
    def updated(result: Result) -> Result:
        return result.model_copy(update={"data": result.data.model_copy(update=changes)})

    return replace(run, results=tuple(map(updated, run.results)))
