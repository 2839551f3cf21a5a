"""Writes results where experiments are tracked: MLflow runs and TensorBoard event files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import NotAvailable, StoreError
from bench.results.records import Result, StoredRun
from bench.types import CurvePoint
from reports.content.results import tasks_of
from reports.export.flat_rows import flat_rows

SETTINGS = frozenset({"seed", "threads"})  # numbers that were chosen, not measured
LONGEST = 500  # MLflow's limit of a parameter
CURVE = (
    "training_loss",
    "validation_loss",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "test_accuracy",
    "test_precision",
    "test_recall",
    "test_f1",
)


def log_to_mlflow(run: StoredRun, out: Path | None) -> str:
    """An experiment `bench/TASK` with a run for each cell; returns where. Without `out`: MLFLOW_TRACKING_URI.

    A cell that is already there (tag bench.cell and the time it was finished) is not logged again.
    """
    try:
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise NotAvailable("mlflow is not installed: pip install 'text-classifier-bench[mlflow]'") from error
    if out:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # newer versions refuse a folder without it
    client = MlflowClient(tracking_uri=out.absolute().as_uri() if out else None)
    for row, result in _cells(run):
        experiment = _experiment(client, f"bench/{result.cell.task}")
        tags = {
            "bench.cell": result.cell.id,
            "bench.finished_at": str(result.finished_at),
            "bench.status": row["status"],
        }
        if _is_logged(client, experiment, tags):
            continue
        logged = client.create_run(experiment, run_name=f"{row['classifier']} {row['engine'] or '-'}", tags=tags)
        client.log_batch(
            logged.info.run_id,
            metrics=[Metric(name, value, int(time.time() * 1000), 0) for name, value in _figures(row)],
            params=[Param(name, text[:LONGEST]) for name, text in _facts(row)],
        )
        for point, name, value in _curve(result):
            client.log_metric(logged.info.run_id, f"curve_{name}", value, step=point.step)
        client.set_terminated(logged.info.run_id, "FINISHED" if result.quality else "FAILED")
    return str(out or "MLFLOW_TRACKING_URI")


def _experiment(client: Any, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return found.experiment_id if found else client.create_experiment(name)


def _is_logged(client: Any, experiment: str, tags: dict[str, str]) -> bool:
    wanted = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    return bool(client.search_runs([experiment], filter_string=wanted, max_results=1))


def log_to_tensorboard(run: StoredRun, out: Path) -> Path:
    """A folder for each cell: training curves by step, figures as scalars; raises StoreError where `out` is in use."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise NotAvailable("tensorboard is not installed: pip install 'text-classifier-bench[tensorboard]'") from error
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise StoreError(f"--out {out} exists and is not an empty folder; TensorBoard would show the figures twice")
    for row, result in _cells(run):
        with SummaryWriter(str(out / result.cell.id)) as writer:
            writer.add_text("cell", "\n".join(f"    {name}: {text}" for name, text in _facts(row)))
            for name, value in _figures(row):
                writer.add_scalar(f"figures/{name}", value, 0)
            for point, name, value in _curve(result):
                writer.add_scalar(f"curve/{name}", value, point.step)
    return out


def _cells(run: StoredRun) -> Iterator[tuple[dict[str, Any], Result]]:
    by_id = {row["id"]: row for row in flat_rows(run)}
    for task in tasks_of(run):
        for _, result in task.cells():
            yield by_id[result.cell.id], result


def _figures(row: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """What was measured; ranks and the Pareto line are among the results of the run."""
    for name, value in row.items():
        if isinstance(value, (int, float)) and name not in SETTINGS:
            yield name, float(value)


def _facts(row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What was chosen, and what was found that is no number."""
    for name, value in row.items():
        if value is not None and (isinstance(value, str) or name in SETTINGS):
            yield name, str(value)


def _curve(result: Result) -> Iterator[tuple[CurvePoint, str, float]]:
    for point in result.fit.curve if result.fit else ():
        for name in CURVE:
            value = getattr(point, name)
            if value is not None:
                yield point, name, value
