"""Invented LoadGen runs."""

from __future__ import annotations

from bench.machine.crowding import Crowding
from bench.results.speed_records import LoadRun, LoadSummary, Stages, Work
from bench.types import Scenario


def load_run(scenario: Scenario, rate_rps: float, valid: bool = True) -> LoadRun:
    latency_ms = 1000 / rate_rps if scenario == "single" else None
    return LoadRun(
        scenario=scenario,
        valid=valid,
        verdict="VALID" if valid else "INVALID: only 10 queries in 3 s",
        queries=400,
        samples=400,
        duration_s=3.2,
        rate_rps=rate_rps,
        mean_ms=latency_ms,
        p50_ms=latency_ms,
        p90_ms=latency_ms and latency_ms * 1.4,
        p95_ms=latency_ms and latency_ms * 1.5,
        p99_ms=None,
        p999_ms=None,
        tokens_per_s=rate_rps * 47.5,
        stages=Stages(tokenise_s=0.3, queue_s=0.0, forward_s=2.6, post_s=0.1, padding_share=0.04),
        warmup_s=1.5,
        warmup_rounds=4,
        recompiles=None,
        passes_per_s=rate_rps if scenario == "single" else rate_rps / 16,
    )


def with_shares(summary: LoadSummary, work: Work | None) -> LoadSummary:
    """The shares of the machine's limits that the rates of a summary stand for."""
    if work is None:
        return summary
    runs = [
        run.model_copy(
            update={
                "matmul_share": run.rate_rps * work.flops_per_text / work.limits.matmul_flops_per_s,
                "memory_share": (run.passes_per_s or 0.0) * work.weight_bytes / work.limits.memory_bytes_per_s,
            }
        )
        for run in summary.runs
    ]
    return summary.model_copy(update={"runs": tuple(runs)})


def beside_others(summary: LoadSummary, waited_share: float = 0.3) -> LoadSummary:
    """The same measured while other processes had most of two cores."""
    crowd = Crowding(waited_share=waited_share, others_share=0.83, stolen_share=0.0, cores=2, full=True)
    return summary.model_copy(
        update={"runs": tuple(run.model_copy(update={"crowding": crowd}) for run in summary.runs)}
    )


def load_summary(scenario: Scenario, rates: tuple[float, ...], tier: str = "quick", valid: bool = True) -> LoadSummary:
    runs = tuple(load_run(scenario, rate, valid) for rate in rates)
    middle = sorted(runs, key=lambda run: run.rate_rps)[len(runs) // 2]
    return LoadSummary(
        scenario=scenario,
        tier=tier,
        valid=valid,
        verdict=middle.verdict,
        rate_rps=middle.rate_rps,
        rate_low_rps=min(rates),
        rate_high_rps=max(rates),
        p50_ms=middle.p50_ms,
        p90_ms=middle.p90_ms,
        p95_ms=middle.p95_ms,
        p99_ms=middle.p99_ms,
        p999_ms=None,
        runs=runs,
    )
