"""A run's quality, small enough to commit: the answers of every row, packed, for item by item comparisons."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from bench.errors import NotComparable, OtherSchema, StoreError
from bench.results.records import Cell, Interval, StoredRun
from bench.results.store import open_run, read_record, write_record
from bench.types import SCHEMA_VERSION, DataCard, Record

ID_TYPE, LABEL_TYPE = np.dtype("<i8"), np.dtype("<i4")


class BaselineTask(Record):
    """A task's test items that any row answered, in the order of their ids: ids and true labels, packed."""

    data: DataCard
    ids: str
    labels: str


class BaselineRow(Record):
    """One row of the leaderboard: which of the task's items it answered (packed bits) and what, -1 for no class."""

    cell: Cell
    classifier_sha256: str | None = None
    accuracy: Interval
    macro_f1: Interval
    answered: str
    predictions: str


class Baseline(Record):
    """What `bench baseline` writes; `commit`, `packages` and `hardware_sha256` say where its figures were measured."""

    schema_version: int = SCHEMA_VERSION
    what: Literal["bench baseline"] = "bench baseline"
    harness: str
    commit: str | None
    hardware_sha256: str | None
    packages: dict[str, str | None] = Field(default_factory=dict)
    tasks: tuple[BaselineTask, ...]
    rows: tuple[BaselineRow, ...]


@dataclass(frozen=True)
class RowAnswers:
    """Unpacked: ids, true labels and predictions, int (n,), in the order of the ids."""

    ids: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray


def make_baseline(run: StoredRun) -> Baseline:
    """Every row of a stored run that has answers; raises StoreError when none has."""
    rows = [result for result in run.results if result.cell.id in run.answers and result.quality]
    if not rows:
        raise StoreError(f"{run.folder} has no row with answers; a baseline needs at least one")
    tasks = {}
    for task in dict.fromkeys(result.cell.task for result in rows):
        of_task = [result for result in rows if result.cell.task == task]
        labels: dict[int, int] = {}
        for result in of_task:
            answers = run.answers[result.cell.id]
            labels.update(zip(answers.ids.tolist(), answers.labels.tolist(), strict=True))
        tasks[task] = (of_task[0].data, np.array(sorted(labels)), np.array([labels[key] for key in sorted(labels)]))
    git = run.environment.get("git") or {}
    return Baseline(
        harness=str(run.environment.get("harness")),
        commit=git.get("commit"),
        hardware_sha256=run.environment.get("hardware_sha256"),
        packages=run.environment.get("packages") or {},
        tasks=tuple(
            BaselineTask(data=data, ids=_pack(_steps(ids), ID_TYPE), labels=_pack(labels, LABEL_TYPE))
            for data, ids, labels in tasks.values()
        ),
        rows=tuple(
            BaselineRow(
                cell=result.cell,
                classifier_sha256=result.classifier_sha256,
                accuracy=result.quality.accuracy,
                macro_f1=result.quality.macro_f1,
                **_pack_row(row_answers(run, result.cell.id), tasks[result.cell.task][1]),
            )
            for result in rows
            if result.quality
        ),
    )


def row_answers(run: StoredRun, cell_id: str) -> RowAnswers:
    """The answers of a stored row."""
    answers = run.answers[cell_id]
    order = np.argsort(answers.ids)
    return RowAnswers(
        ids=answers.ids[order], labels=answers.labels[order], predictions=answers.prediction.labels[order]
    )


def unpack(baseline: Baseline) -> Mapping[str, RowAnswers]:
    """The answers of every row by cell id; raises StoreError when the file was changed by hand."""
    tasks = {task.data.task: task for task in baseline.tasks}
    return {row.cell.id: _unpack_row(row, tasks.get(row.cell.task)) for row in baseline.rows}


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Store a baseline as JSON, whole or not at all."""
    write_record(path, baseline)


def read_baseline(path: Path) -> Baseline:
    """Read a baseline; raises StoreError for a file that is none or damaged, NotComparable for another schema."""
    try:
        return read_record(path, Baseline)
    except OtherSchema as error:
        raise NotComparable(f"{error}; or write the baseline again with `bench baseline`") from error


def open_baseline(path: Path) -> Baseline:
    """A file of `bench baseline`, or a run folder taken as one; raises as `read_baseline` and `open_run` do."""
    return make_baseline(open_run(path)) if path.is_dir() else read_baseline(path)


def _pack_row(answers: RowAnswers, ids: np.ndarray) -> dict[str, str]:
    answered = np.packbits(np.isin(ids, answers.ids))
    return {"answered": _pack(answered, np.dtype("u1")), "predictions": _pack(answers.predictions, LABEL_TYPE)}


def _unpack_row(row: BaselineRow, task: BaselineTask | None) -> RowAnswers:
    if task is None:
        raise StoreError(f"the baseline's row {row.cell.id} is of a task it does not hold; write the baseline again")
    ids, labels = np.cumsum(_unpack(task.ids, ID_TYPE)), _unpack(task.labels, LABEL_TYPE)
    answered = np.unpackbits(_unpack(row.answered, np.dtype("u1")))[: len(ids)].astype(bool)
    predictions = _unpack(row.predictions, LABEL_TYPE)
    if len(ids) != len(labels) or len(answered) != len(ids) or answered.sum() != len(predictions):
        raise StoreError(f"the baseline's row {row.cell.id} has a wrong number of answers; write the baseline again")
    return RowAnswers(ids=ids[answered], labels=labels[answered], predictions=predictions)


def _steps(ids: np.ndarray) -> np.ndarray:
    """From each id to the next, the first from 0: small numbers, which compress well."""
    return np.diff(ids, prepend=0)


def _pack(values: np.ndarray, dtype: np.dtype) -> str:
    return base64.b64encode(zlib.compress(values.astype(dtype).tobytes(), level=9)).decode("ascii")


def _unpack(packed: str, dtype: np.dtype) -> np.ndarray:
    try:
        return np.frombuffer(zlib.decompress(base64.b64decode(packed, validate=True)), dtype=dtype)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise StoreError(f"the baseline's packed answers are damaged ({error}); write the baseline again") from error
