"""Encodes a run's answers small enough to commit, for comparisons item by item, and reads them back with suspicion."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, ValidationError

from bench.errors import NotComparable, StoreError
from bench.results.records import Cell, Interval, StoredRun
from bench.results.store import open_run, write_record
from bench.types import SCHEMA_VERSION, DataCard, Record

ID_TYPE, LABEL_TYPE = np.dtype("<i8"), np.dtype("<i4")
MOST_BYTES = 2**28  # of an encoded array, decoded: 33 million items; a file that decodes to more is no baseline
AGAIN = "take the file from your version control, or write it again with `bench baseline DIR`"
_CONFLICT = re.compile(rb"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)


class BaselineTask(Record):
    """A task's test items that any result answered, in the order of their ids: ids and true labels, encoded."""

    data: DataCard
    ids: str
    labels: str


class BaselineResult(Record):
    """One result: which of the task's items it answered (bits, encoded) and what, -1 for no class."""

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
    rows: tuple[BaselineResult, ...]


@dataclass(frozen=True)
class JudgedAnswers:
    """Decoded: ids, true labels and predictions, int (n,), in the order of the ids."""

    ids: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray


def make_baseline(run: StoredRun) -> Baseline:
    """Every result of a stored run that has answers; raises StoreError when none has."""
    results = [result for result in run.results if result.cell.id in run.answers and result.quality]
    if not results:
        raise StoreError(f"{run.folder} has no result with answers; a baseline needs at least one")
    tasks = {}
    for task in dict.fromkeys(result.cell.task for result in results):
        of_task = [result for result in results if result.cell.task == task]
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
            BaselineTask(data=data, ids=_encode(_steps(ids), ID_TYPE), labels=_encode(labels, LABEL_TYPE))
            for data, ids, labels in tasks.values()
        ),
        rows=tuple(
            BaselineResult(
                cell=result.cell,
                classifier_sha256=result.classifier_sha256,
                accuracy=result.quality.accuracy,
                macro_f1=result.quality.macro_f1,
                **_encode_answers(judged_answers(run, result.cell.id), tasks[result.cell.task][1]),
            )
            for result in results
            if result.quality
        ),
    )


def judged_answers(run: StoredRun, cell_id: str) -> JudgedAnswers:
    """The answers of a stored result."""
    answers = run.answers[cell_id]
    order = np.argsort(answers.ids)
    return JudgedAnswers(
        ids=answers.ids[order], labels=answers.labels[order], predictions=answers.prediction.labels[order]
    )


def decode_answers(baseline: Baseline) -> Mapping[str, JudgedAnswers]:
    """The answers of every result by cell id; raises StoreError when the file was changed by hand."""
    tasks = {task.data.task: _decode_task(task) for task in baseline.tasks}
    return {result.cell.id: _decode_answers(result, tasks.get(result.cell.task)) for result in baseline.rows}


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Store a baseline as JSON, whole or not at all."""
    write_record(path, baseline)


def read_baseline(path: Path) -> Baseline:
    """Read a baseline; raises StoreError where it is none, damaged or empty, NotComparable for another schema."""
    content = _read_json(path)
    if not isinstance(content, dict):
        raise StoreError(f"{path} is no baseline: it holds {_kind_of(content)}, not an object; {AGAIN}")
    version = content.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise NotComparable(
            f"{path} has schema version {version}, this harness reads {SCHEMA_VERSION}; write the baseline again with "
            "`bench baseline DIR`, or check with the harness that wrote it"
        )
    try:
        baseline = Baseline.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StoreError(f"{path} is no whole baseline: {where}: {first['msg']}; {AGAIN}") from error
    if not baseline.rows:
        raise StoreError(f"{path} holds no result, so nothing would be compared; {AGAIN}")
    _refuse_twice(path, "row", (result.cell.id for result in baseline.rows))
    _refuse_twice(path, "task", (task.data.task for task in baseline.tasks))
    return baseline


def _read_json(path: Path) -> object:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    if _CONFLICT.search(content):
        raise StoreError(
            f"{path} has the marks of a merge conflict (<<<<<<<); take one side's file, or write the baseline of the "
            "merged code again with `bench baseline DIR`"
        )
    if not content.strip():
        raise StoreError(f"{path} is empty; {AGAIN}")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is damaged or cut off: not JSON ({error}); {AGAIN}") from error


def _kind_of(content: object) -> str:
    kinds = {list: "an array", str: "a text", bool: "a truth value", int: "a number", float: "a number"}
    return kinds.get(type(content), "nothing")


def _refuse_twice(path: Path, what: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).most_common(1):
        if count > 1:
            raise StoreError(f"{path} has the {what} {name} {count} times; {AGAIN}")


def open_baseline(path: Path) -> Baseline:
    """A file of `bench baseline`, or a run folder taken as one; raises as `read_baseline` and `open_run` do."""
    return make_baseline(open_run(path)) if path.is_dir() else read_baseline(path)


def _encode_answers(answers: JudgedAnswers, ids: np.ndarray) -> dict[str, str]:
    answered = np.packbits(np.isin(ids, answers.ids))
    return {"answered": _encode(answered, np.dtype("u1")), "predictions": _encode(answers.predictions, LABEL_TYPE)}


def _decode_task(task: BaselineTask) -> tuple[np.ndarray, np.ndarray, int]:
    """Ids, true labels and the number of classes."""
    ids, labels = np.cumsum(_decode(task.ids, ID_TYPE)), _decode(task.labels, LABEL_TYPE)
    name, classes = task.data.task, len(task.data.class_names)
    if len(ids) != len(labels) or (np.diff(ids) <= 0).any():
        raise StoreError(f"the baseline's items of {name} are not one label for each id; {AGAIN}")
    if ((labels < 0) | (labels >= classes)).any():
        raise StoreError(f"the baseline has labels of {name} that none of its {classes} classes has; {AGAIN}")
    return ids, labels, classes


def _decode_answers(kept: BaselineResult, task: tuple[np.ndarray, np.ndarray, int] | None) -> JudgedAnswers:
    if task is None:
        raise StoreError(f"the baseline's result {kept.cell.id} is of a task it does not hold; {AGAIN}")
    ids, labels, classes = task
    answered = np.unpackbits(_decode(kept.answered, np.dtype("u1")))[: len(ids)].astype(bool)
    predictions = _decode(kept.predictions, LABEL_TYPE)
    if len(answered) != len(ids) or answered.sum() != len(predictions):
        raise StoreError(f"the baseline's result {kept.cell.id} has a wrong number of answers; {AGAIN}")
    if ((predictions < -1) | (predictions >= classes)).any():
        raise StoreError(f"the baseline's result {kept.cell.id} answers what none of {classes} classes is; {AGAIN}")
    return JudgedAnswers(ids=ids[answered], labels=labels[answered], predictions=predictions)


def _steps(ids: np.ndarray) -> np.ndarray:
    """From each id to the next, the first from 0: small numbers, which compress well."""
    return np.diff(ids, prepend=0)


def _encode(values: np.ndarray, dtype: np.dtype) -> str:
    return base64.b64encode(zlib.compress(values.astype(dtype).tobytes(), level=9)).decode("ascii")


def _decode(encoded: str, dtype: np.dtype) -> np.ndarray:
    unpacking = zlib.decompressobj()
    try:
        content = unpacking.decompress(base64.b64decode(encoded, validate=True), MOST_BYTES)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise StoreError(f"the baseline's encoded answers are damaged ({error}); {AGAIN}") from error
    if not unpacking.eof or len(content) % dtype.itemsize:
        raise StoreError(f"the baseline's encoded answers are damaged (cut off, or too many); {AGAIN}")
    return np.frombuffer(content, dtype=dtype)
