"""Reads what LoadGen and the batcher say of a Server run: latencies from the scheduled arrival, waits in the queue."""

from __future__ import annotations

import math
import mmap
import re
import statistics
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.results.speed_records import QUERIES_FOR, Purpose, ServerPoint
from bench.speed.batcher import Batcher, QueueRecord
from bench.speed.figures import NS_PER_MS
from bench.speed.mlperf import read_verdict

CONFIDENCE = 0.99  # of LoadGen's early stopping
MORE_QUERIES = 1.1  # than planned: Poisson arrivals within a run's shortest duration
_FIGURES = ("rate_rps", "p50_ms", "p90_ms", "limited_ms", "queue_p50_ms", "queue_p99_ms", "batch_mean", "busy_share")


def most_late(purpose: Purpose, queries: int, percentile: float) -> int:
    """The most late answers with which a run of about so many queries may still hold: with one more it is lost.

    A search holds while its percentile is in time. A confirmation holds where LoadGen says VALID: so few late that a
    true share of 1 - percentile of them would show so few in less than 1 % of such runs (MLPerf's early stopping).
    """
    from scipy.stats import binom

    share, n = 1 - percentile / 100, math.ceil(round(queries * MORE_QUERIES, 6))  # 1,000 * 1.1 is above 1,100
    if purpose == "search":
        return math.ceil(round(n * share, 6))
    return max(0, int(binom.ppf(1 - CONFIDENCE, n, share)) - 1)


def read_point(
    log_folder: Path,
    batcher: Batcher,
    purpose: Purpose,
    rate_rps: float,
    percentile: float,
    limit_ms: float,
    failed_requests: int,
) -> ServerPoint:
    """The point of a run that just ended, from LoadGen's summary and the batcher's record.

    A search holds when the run's percentile is within the limit, a confirmation when LoadGen says VALID; neither holds
    where a request failed, which is no slow answer.
    """
    valid, _ = read_verdict(log_folder)
    summary = (log_folder / "mlperf_log_summary.txt").read_text(encoding="utf-8")
    record = batcher.record
    limited_ms = _read_log_ms(summary, percentile)
    completed = _read_log(summary, r"^Completed samples per second\s*: ([\d.e+]+)")
    believed = not batcher.lost and not failed_requests
    held = believed and (valid if purpose == "confirm" else limited_ms <= limit_ms)
    figures = dict.fromkeys(_FIGURES)
    if not batcher.lost:
        figures = {
            "rate_rps": completed,
            "p50_ms": _read_log_ms(summary, 50.0),
            "p90_ms": _read_log_ms(summary, 90.0) if len(record.waits_ns) >= QUERIES_FOR[90.0] else None,
            "limited_ms": limited_ms,
            **_queue_figures(record, completed, batcher.concurrency),
        }
    return ServerPoint(
        purpose=purpose,
        percentile=percentile,
        target_rps=rate_rps,
        held=held,
        valid=valid and believed,
        saturated=batcher.lost,
        failed_requests=failed_requests,
        queries=len(record.waits_ns),
        **figures,
    )


def _queue_figures(record: QueueRecord, rate_rps: float, concurrency: int) -> dict[str, float | None]:
    waits_ms = np.asarray(record.waits_ns) / NS_PER_MS
    duration_s = len(waits_ms) / rate_rps
    return {
        "queue_p50_ms": float(np.percentile(waits_ms, 50, method="inverted_cdf")),
        "queue_p99_ms": float(np.percentile(waits_ms, 99, method="inverted_cdf"))
        if len(waits_ms) >= QUERIES_FOR[99.0]
        else None,
        "batch_mean": statistics.fmean(record.batches),
        "busy_share": min(1.0, record.busy_s / duration_s / concurrency),
    }


def _read_log_ms(summary: str, percentile: float) -> float:
    return _read_log(summary, rf"^{percentile:.2f} percentile latency \(ns\)\s*: (\d+)") / NS_PER_MS


def _read_log(summary: str, pattern: str) -> float:
    found = re.search(pattern, summary, re.MULTILINE)
    if found is None:
        raise BenchError(f"LoadGen's summary has no line like {pattern}; another version of mlcommons-loadgen?")
    return float(found[1])


def read_trace(log_folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Each sample's latency from its scheduled arrival and LoadGen's delay in issuing it, int64 (queries,) in ns.

    They stand in LoadGen's trace alone, which is deleted: it is three orders of magnitude larger than this.
    """
    path = log_folder / "mlperf_log_trace.json"
    pattern = rb'"issue_start_ns":(-?\d+),"complete_ns":(-?\d+)'
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = [(int(match[1]), int(match[2])) for match in re.finditer(pattern, content)]
    path.unlink()
    issued, completed = np.asarray(found, dtype=np.int64).reshape(-1, 2).T
    return completed, issued
