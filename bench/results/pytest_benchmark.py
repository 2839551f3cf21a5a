"""Writes speed results as pytest-benchmark's JSON and reads them back, for its `compare` and its histograms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from bench.errors import DataError, StoreError
from bench.results.records import Result, StoredRun
from bench.results.speed_records import QUERIES_FOR, LoadRun, LoadSummary
from bench.results.store import read_latencies
from bench.types import Record, first_problem

FORMAT_VERSION = "5.1.0"  # the release of pytest-benchmark whose fields these are
TUKEY = 1.5
NS_PER_S = 1e9
MS_PER_S = 1e3


class ImportedBenchmark(Record):
    """A benchmark of somebody's pytest-benchmark file; percentiles None where the file's rounds do not support them."""

    name: str
    group: str | None
    rounds: int
    rate_rps: float
    p50_ms: float
    p90_ms: float | None
    p99_ms: float | None


def export_run(run: StoredRun) -> dict[str, Any]:
    """JSON-able: a benchmark a result and scenario, its rounds in seconds a text; StoreError where there is none.

    `single`: a round a query, from the stored latencies of all runs; `offline`: a round a LoadGen run.
    """
    benchmarks = [
        _benchmark(result, summary, _rounds_s(run.folder, summary))
        for result in run.results
        for summary in result.load.values()
    ]
    if not benchmarks:
        raise StoreError(f"{run.folder} has no speed result to export")
    environment, git = run.environment, run.environment.get("git") or {}
    finished = [result.finished_at for result in run.results if result.finished_at]
    return {
        "machine_info": {
            "cpu": {"brand_raw": (environment.get("cpu") or {}).get("model")},
            "python_version": environment.get("python"),
            "system": environment.get("os"),
            "hardware_sha256": environment.get("hardware_sha256"),
        },
        "commit_info": {"id": git.get("commit"), "dirty": git.get("dirty")},
        "benchmarks": benchmarks,
        "datetime": max(finished, default=None),
        "version": FORMAT_VERSION,
    }


def _rounds_s(folder: Path, summary: LoadSummary) -> np.ndarray:
    return np.concatenate([_run_rounds_s(folder, summary, run) for run in summary.runs])


def _run_rounds_s(folder: Path, summary: LoadSummary, run: LoadRun) -> np.ndarray:
    if summary.scenario != "offline" and run.latencies_file:
        return read_latencies(folder / run.latencies_file) / NS_PER_S
    return np.array([1 / run.rate_rps])


def _benchmark(result: Result, summary: LoadSummary, rounds_s: np.ndarray) -> dict[str, Any]:
    cell = result.cell
    name = f"{cell.recipe}.s{cell.seed}[{cell.engine}-{summary.scenario}]"
    return {
        "group": f"{cell.task} {summary.scenario}",
        "name": name,
        "fullname": f"{cell.task}::{name}",
        "params": {"recipe": cell.recipe, "seed": cell.seed, "engine": cell.engine, "scenario": summary.scenario},
        "param": f"{cell.engine}-{summary.scenario}",
        "extra_info": {
            "rate_rps": summary.rate_rps,
            "tier": summary.tier,
            "loadgen": summary.verdict,
            "status": str(result.status),
            "cell": cell.id,
        },
        "options": {"disable_gc": False, "timer": "perf_counter_ns", "min_rounds": 1, "warmup": True},
        "stats": statistics_of(rounds_s),
    }


def statistics_of(rounds_s: np.ndarray) -> dict[str, Any]:
    """pytest-benchmark's figures of rounds in seconds, float (n,), n at least 1; quartiles are Tukey's hinges."""
    data = np.sort(np.asarray(rounds_s, dtype=float))
    q1, q3 = _quartiles(data)
    mean, stddev = float(data.mean()), float(data.std(ddof=1)) if len(data) > 1 else 0.0
    low, high = q1 - TUKEY * (q3 - q1), q3 + TUKEY * (q3 - q1)
    within = data[(data >= low) & (data <= high)]
    beyond_stddev = int(((data < mean - stddev) | (data > mean + stddev)).sum())
    beyond_fences = len(data) - len(within)
    return {
        "min": float(data[0]),
        "max": float(data[-1]),
        "mean": mean,
        "stddev": stddev,
        "rounds": len(data),
        "median": float(np.median(data)),
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "iqr_outliers": beyond_fences,
        "stddev_outliers": beyond_stddev,
        "outliers": f"{beyond_stddev};{beyond_fences}",
        "ld15iqr": float(within[0]),
        "hd15iqr": float(within[-1]),
        "ops": len(data) / float(data.sum()),
        "total": float(data.sum()),
        "data": np.asarray(rounds_s, dtype=float).tolist(),
        "iterations": 1,
    }


def _quartiles(data: np.ndarray) -> tuple[float, float]:
    """Method 3 of Wikipedia's "Quartile" for an odd number of sorted values, the halves' medians for an even one."""
    n, rest = divmod(len(data), 4)
    if len(data) == 1:
        return float(data[0]), float(data[0])
    if rest == 1:
        return (
            0.25 * float(data[n - 1]) + 0.75 * float(data[n]),
            0.75 * float(data[3 * n]) + 0.25 * float(data[3 * n + 1]),
        )
    if rest == 3:
        return (
            0.75 * float(data[n]) + 0.25 * float(data[n + 1]),
            0.25 * float(data[3 * n + 1]) + 0.75 * float(data[3 * n + 2]),
        )
    half = len(data) // 2
    return float(np.median(data[:half])), float(np.median(data[half:]))


# ---------------------------------------------------------------- import


class _Stats(BaseModel):
    rounds: int
    median: float
    ops: float
    data: list[float] | None = None


class _Benchmark(BaseModel):
    fullname: str
    group: str | None = None
    stats: _Stats


class _File(BaseModel):
    benchmarks: list[_Benchmark]


def read_benchmarks(path: Path) -> tuple[ImportedBenchmark, ...]:
    """Read a file of `pytest --benchmark-json` or of `bench pytest-benchmark export`; raises DataError for another.

    Percentiles need the rounds themselves, which --benchmark-save-data keeps.
    """
    try:
        content = _File.model_validate(json.loads(path.read_bytes()))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise DataError(f"{path} is no pytest-benchmark file: {first_problem(error)}") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); give a file of pytest --benchmark-json") from error
    return tuple(map(_row, content.benchmarks))


def _row(benchmark: _Benchmark) -> ImportedBenchmark:
    stats = benchmark.stats
    return ImportedBenchmark(
        name=benchmark.fullname,
        group=benchmark.group,
        rounds=stats.rounds,
        rate_rps=stats.ops,
        p50_ms=MS_PER_S * stats.median,
        p90_ms=_percentile_ms(stats.data, 90.0),
        p99_ms=_percentile_ms(stats.data, 99.0),
    )


def _percentile_ms(rounds_s: Sequence[float] | None, percent: float) -> float | None:
    if rounds_s is None or len(rounds_s) < QUERIES_FOR[percent]:
        return None
    return MS_PER_S * float(np.percentile(rounds_s, percent, method="inverted_cdf"))
