"""An invented run under Poisson load."""

from __future__ import annotations

from synthetic_load import load_run, with_shares
from synthetic_runs import (
    EAGER,
    INT8,
    MINILM,
    SKLEARN,
    Method,
    data_card,
    stored_run,
    task_results,
)

from bench.results.records import Status, StoredRun
from bench.results.speed_records import LoadSummary, Purpose, ServerPoint, ServerSearch
from bench.speed.figures import summarise_runs


def server_point(purpose: Purpose, rate_rps: float, capacity_rps: float, limit_ms: float) -> ServerPoint:
    """A queue that grows as its load nears the capacity, and is given up beyond it."""
    load = rate_rps / capacity_rps
    limited_ms = 8 / (1 - load) if load < 1 else None
    held = limited_ms is not None and limited_ms <= limit_ms
    return ServerPoint(
        purpose=purpose,
        percentile=99.0,
        target_rps=rate_rps,
        held=held,
        valid=held,
        saturated=limited_ms is None,
        failed_requests=0,
        queries=800,
        rate_rps=rate_rps if limited_ms else None,
        p50_ms=limited_ms and limited_ms / 3,
        p90_ms=limited_ms and limited_ms / 1.6,
        limited_ms=limited_ms,
        queue_p50_ms=limited_ms and limited_ms / 10,
        queue_p99_ms=limited_ms and limited_ms * 0.8,
        batch_mean=limited_ms and 1 + load * 3,
        busy_share=limited_ms and load,
    )


def server_summary(capacity_rps: float, percentile: float = 99.0, limit_ms: float = 100.0) -> LoadSummary:
    """Doubled, bisected and confirmed at 90 % of the capacity; INVALID where there is none."""
    tried: list[tuple[Purpose, float]] = [
        ("search", 0.25),
        ("search", 0.5),
        ("search", 1.0),
        ("search", 0.75),
        ("search", 0.9),
    ]
    tried += [("confirm", 0.9)] * 3
    valid = capacity_rps > 0
    points = [server_point(purpose, share * capacity_rps, capacity_rps, limit_ms) for purpose, share in tried if valid]
    search = ServerSearch(
        limit_ms=limit_ms,
        percentile=percentile,
        target_rps=0.9 * capacity_rps if valid else None,
        token_budget=256,
        max_batch=16,
        max_wait_ms=0.0,
        concurrency=None,
        issue_delay_p99_ms=0.2,
        points=tuple(points),
    )
    run = load_run("server", 0.9 * capacity_rps, valid).model_copy(
        update={
            "server": search,
            "queries": 800,
            "p50_ms": 80 / 3,
            "p99_ms": 80.0,
            "verdict": "VALID" if valid else "INVALID: no rate",
        }
    )
    return summarise_runs("server", "quick", [run])


def server_run() -> StoredRun:
    """Two engines under Poisson load: one keeps the limit, one finds no rate that does; another only has p90."""
    card = data_card()
    methods = (
        Method("tfidf", None, 0.88, 5200, 1.4, (SKLEARN,)),
        Method("full-finetune", MINILM, 0.92, 95, 210, (EAGER, INT8)),
        Method("zero-shot", "HuggingFaceTB/SmolLM2-135M", 0.32, 6.2, 0.0, (EAGER,), items=400),
    )
    results, answers = task_results(card, methods)
    server = (server_summary(4000.0), server_summary(80.0), server_summary(310.0), server_summary(0.0, 90.0))
    changed = [
        result.model_copy(update={"load": {**result.load, "server": with_shares(summary, result.work)}})
        for result, summary in zip(results, server, strict=True)
    ]
    reason = "server: INVALID: no rate keeps p90 within 100 ms (one request alone takes 161 ms)"
    changed[-1] = changed[-1].model_copy(update={"status": Status.INVALID, "reason": reason})
    return stored_run(changed, answers, scenarios=("single", "offline", "server"))
