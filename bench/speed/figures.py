"""Reads the figures of a run out of latencies and clocks, and says what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.results.speed_records import QUERIES_FOR, LoadRun, LoadSummary, Stages
from bench.types import Scenario, Session

NS_PER_S = 1e9
NS_PER_MS = 1e6


def latency_figures(latencies_ns: np.ndarray) -> dict[str, Any]:
    """Mean, median and the percentiles that this many queries support, in milliseconds; None for the others."""
    figures: dict[str, Any] = {"mean_ms": None, "p50_ms": None}
    if len(latencies_ns):
        figures = {"mean_ms": float(latencies_ns.mean()) / NS_PER_MS, "p50_ms": _percentile_ms(latencies_ns, 50.0)}
    for percent, needed in QUERIES_FOR.items():
        name = f"p{percent:g}_ms".replace(".", "")
        figures[name] = _percentile_ms(latencies_ns, percent) if len(latencies_ns) >= needed else None
    return figures


def _percentile_ms(latencies_ns: np.ndarray, percent: float) -> float:
    """The smallest latency that at least this share of queries stays within, as LoadGen counts it."""
    return float(np.percentile(latencies_ns, percent, method="inverted_cdf")) / NS_PER_MS


def describe_failures(failed_requests: Mapping[str, int]) -> str:
    """How many requests failed, and of what."""
    reasons = ", ".join(f"{reason}: {count}" for reason, count in sorted(failed_requests.items()))
    return f"{sum(failed_requests.values())} failed requests ({reasons})"


def describe_retries(retried_requests: Mapping[str, int]) -> str:
    """How many tries of an endpoint's requests were in vain before the one that was answered."""
    reasons = ", ".join(f"{reason}: {count}" for reason, count in sorted(retried_requests.items()))
    return f"{sum(retried_requests.values())} requests answered only at a later try ({reasons})"


def stages_of(session: Session) -> Stages:
    """Seconds in each stage since the session's clock was reset."""
    clock = session.clock
    padding = 1 - clock.real_tokens / clock.padded_tokens if clock.padded_tokens else None
    return Stages(
        tokenise_s=clock.tokenise_s,
        queue_s=clock.queue_s,
        forward_s=clock.forward_s,
        post_s=clock.post_s,
        padding_share=padding,
    )


def summarise_runs(scenario: Scenario, tier: str, runs: Sequence[LoadRun]) -> LoadSummary:
    """The run with the median rate (the lower of two middle ones) stands for all; the range is beside it."""
    middle = sorted(runs, key=lambda run: run.rate_rps)[(len(runs) - 1) // 2]
    invalid = [run.verdict for run in runs if not run.valid]
    return LoadSummary(
        scenario=scenario,
        tier=tier,
        valid=not invalid,
        verdict=invalid[0] if invalid else "VALID",
        rate_rps=middle.rate_rps,
        rate_low_rps=min(run.rate_rps for run in runs),
        rate_high_rps=max(run.rate_rps for run in runs),
        p50_ms=middle.p50_ms,
        p90_ms=middle.p90_ms,
        p95_ms=middle.p95_ms,
        p99_ms=middle.p99_ms,
        p999_ms=middle.p999_ms,
        runs=tuple(runs),
    )
