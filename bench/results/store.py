"""Writes a run folder whole or not at all, and reads it back without the models."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from bench.errors import OtherSchema, StoreError
from bench.files.cache import write_whole
from bench.machine.threads import usable_cores
from bench.results.records import Answers, Result, RunSettings, StoredRun
from bench.types import SCHEMA_VERSION, Prediction, Record, first_problem

SETTINGS = "run.json"
ENVIRONMENT = "environment.json"
CELLS = "cells"
PREDICTIONS = "predictions"
VALIDATION = "validation"
PARTS = "parts"
LATENCIES = "latencies"
ROUNDING = 1e-4  # probabilities are stored as float32

AnyRecord = TypeVar("AnyRecord", bound=Record)


def write_record(path: Path, record: Record) -> None:
    """Store a record as JSON, atomically."""
    write_whole(path, (record.model_dump_json(indent=1) + "\n").encode("utf-8"))


def read_record(path: Path, kind: type[AnyRecord]) -> AnyRecord:
    """Read a record; raises StoreError when it is damaged, OtherSchema for another schema version."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is not JSON ({error}); delete it and run again") from error
    version = content.get("schema_version", SCHEMA_VERSION) if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise OtherSchema(
            f"{path} has schema version {version}, this harness reads {SCHEMA_VERSION}; "
            "read it with the harness that wrote it, or run into a new --out folder"
        )
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise StoreError(f"{path}: {first_problem(error)}; delete it and run again") from error


def write_json(path: Path, content: Any) -> None:
    """Store plain JSON, atomically."""
    write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def write_answers(path: Path, answers: Answers) -> None:
    """One row a test item: id, label, prediction, probabilities float32 (k,), token count, truncated, how it ended."""
    prediction = answers.prediction
    k = prediction.probabilities.shape[1]
    flat = pa.array(prediction.probabilities.astype(np.float32).ravel())
    endings = {} if prediction.endings is None else {"ending": prediction.endings.astype(np.uint8)}
    table = pa.table(
        {
            "id": answers.ids.astype(np.int64),
            "label": answers.labels.astype(np.int64),
            "prediction": prediction.labels.astype(np.int64),
            "probabilities": pa.FixedSizeListArray.from_arrays(flat, k),
            "token_count": prediction.token_counts.astype(np.int32),
            "truncated": prediction.truncated.astype(bool),
            **endings,
        }
    )
    write_parquet(path, table)


def read_answers(path: Path) -> Answers:
    """The predictions file of a cell; raises StoreError when it is damaged."""
    try:
        table = pq.ParquetFile(path).read(
            use_threads=False
        )  # read_table spends as long again on looking for partitions
        n = table.num_rows
        flat = table["probabilities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        prediction = Prediction(
            probabilities=flat.reshape(n, -1),
            labels=_column(table, "prediction", pa.int64()),
            token_counts=_column(table, "token_count", pa.int32()),
            truncated=_column(table, "truncated", pa.bool_()),
            endings=_column(table, "ending", pa.uint8()) if "ending" in table.column_names else None,
        )
        answers = Answers(
            ids=_column(table, "id", pa.int64()), labels=_column(table, "label", pa.int64()), prediction=prediction
        )
    except (OSError, KeyError, pa.ArrowException, ValueError) as error:
        raise StoreError(f"{path} cannot be read as predictions ({error}); delete it and run again") from error
    if len(np.unique(answers.ids)) != n:
        raise StoreError(f"{path} has answers to the same test item twice; delete it and run again")
    if problem := _impossible(answers):
        raise StoreError(f"{path} has {problem}; delete it and run again")
    return answers


def _column(table: pa.Table, name: str, kind: pa.DataType) -> np.ndarray:
    """A column of whole rows; raises ValueError or ArrowException for one of another kind, or with gaps."""
    column = table[name].cast(kind)
    if column.null_count:
        raise ValueError(f"{name} has gaps")
    values: np.ndarray = column.to_numpy()
    return values


def _impossible(answers: Answers) -> str | None:
    """What no answers can be, by what they say themselves; None where they can."""
    given, k = answers.prediction, answers.prediction.probabilities.shape[1]
    if not len(answers.ids):
        return "no answers"
    shares, others = given.probabilities, f"of other classes than the {k} it has probabilities for"
    faults = {
        "probabilities that are no numbers": not np.isfinite(shares).all(),
        "probabilities that are no shares": shares.min() < 0 or shares.max() > 1 + ROUNDING,
        f"labels {others}": answers.labels.min() < 0 or answers.labels.max() >= k,
        f"answers {others}": given.labels.min() < -1 or given.labels.max() >= k,
        "texts of less than no tokens": given.token_counts.min() < 0,
    }
    return next((fault for fault, found in faults.items() if found), None)


def write_latencies(path: Path, latencies_ns: np.ndarray) -> None:
    """Raw latencies of one LoadGen run, in nanoseconds, in the order of completion."""
    write_parquet(path, pa.table({"latency_ns": latencies_ns.astype(np.int64)}))


def read_latencies(path: Path) -> np.ndarray:
    """Raw latencies of one LoadGen run, int64 (queries,) in nanoseconds; raises StoreError when they are damaged."""
    try:
        latencies: np.ndarray = pq.read_table(path)["latency_ns"].to_numpy()
    except (OSError, KeyError, pa.ArrowException) as error:
        raise StoreError(f"{path} cannot be read as latencies ({error}); run the cell again") from error
    return latencies


def write_parquet(path: Path, table: pa.Table) -> None:
    """Store a table, atomically."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_whole(path, sink.getvalue().to_pybytes())


def inside(folder: Path, name: str) -> Path:
    """A file of a run folder; raises StoreError where a link leads out of it, as one from a stranger may."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise StoreError(f"{path} leads out of the run folder; it is not read")
    return path


def result_path(folder: Path, cell_id: str) -> Path:
    return folder / CELLS / f"{cell_id}.json"


def answers_path(folder: Path, cell_id: str) -> Path:
    return folder / PREDICTIONS / f"{cell_id}.parquet"


def validation_path(folder: Path, cell_id: str) -> Path:
    return folder / VALIDATION / f"{cell_id}.parquet"


def part_path(folder: Path, cell_id: str, repeat: int) -> Path:
    return folder / PARTS / f"{cell_id}.r{repeat}.json"


def read_result(folder: Path, cell_id: str) -> Result | None:
    """The stored result of a cell; None when there is none yet."""
    path = result_path(folder, cell_id)
    if not path.exists():
        return None
    result = read_record(inside(folder, str(path.relative_to(folder))), Result)
    if result.cell.id != cell_id:
        raise StoreError(f"{path} holds the result of another cell, {result.cell.id}; delete it and run again")
    return result


def open_run(folder: Path) -> StoredRun:
    """Read a run folder whole: the cells of its plan that have results, in the plan's order."""
    if not folder.is_dir():
        raise StoreError(f"{folder} is no folder; give the --out folder of a `bench run`")
    if not (folder / SETTINGS).is_file():
        raise StoreError(f"{folder} holds no {SETTINGS}; give the --out folder of a `bench run`")
    settings = read_record(inside(folder, SETTINGS), RunSettings)
    environment = read_environment(folder)
    results = tuple(_planned_results(folder, settings.cells))
    if not results:
        raise StoreError(f"{folder} holds no results yet; start it again with `bench run --out {folder}`")
    files = {result.cell.id: inside(folder, result.predictions_file) for result in results if result.predictions_file}
    asked = {result.cell.id: inside(folder, result.validation_file) for result in results if result.validation_file}
    different = [*dict.fromkeys((*files.values(), *asked.values()))]
    with ThreadPoolExecutor(usable_cores()) as pool:
        read = dict(zip(different, pool.map(read_answers, different), strict=True))
    answers = {name: read[path] for name, path in files.items()}
    validation = {name: read[path] for name, path in asked.items()}
    for result in results:
        _refuse_misfit(folder, result, answers.get(result.cell.id))
    return StoredRun(folder, settings, environment, results, answers, validation)


def _refuse_misfit(folder: Path, result: Result, answers: Answers | None) -> None:
    """Figures that are not those of the answers beside them are somebody's, or of another time."""
    if answers is None or result.quality is None:
        return
    path, classes = result_path(folder, result.cell.id), len(result.data.class_names)
    right = float((answers.prediction.labels == answers.labels).mean())
    same = result.quality.n == len(answers.ids) and abs(result.quality.accuracy.value - right) <= ROUNDING
    if answers.prediction.probabilities.shape[1] != classes or not same:
        raise StoreError(
            f"{path} has figures that are not those of its answers (accuracy {result.quality.accuracy.value:.4g} of "
            f"{result.quality.n:,} texts in {classes} classes, the answers: {right:.4g} of {len(answers.ids):,}); "
            "delete it and run again"
        )


def _planned_results(folder: Path, cells: Iterable[str]) -> Iterable[Result]:
    for cell_id in dict.fromkeys(cells):
        result = read_result(folder, cell_id)
        if result is not None:
            yield result


def read_environment(folder: Path) -> dict[str, Any]:
    """The machine and the versions of a run; raises StoreError when the file is damaged."""
    path = inside(folder, ENVIRONMENT)
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path} cannot be read ({error}); run again to write it anew") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} is no JSON object; run again to write it anew")
    return content
