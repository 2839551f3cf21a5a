"""Runs LoadGen's Server scenario: Poisson arrivals, and the highest rate of them that keeps latency within a limit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.plan.tiers import Tier
from bench.results.speed_records import LoadRun, ServerPoint, ServerSearch, Stages
from bench.speed.capacity import Capacity, batch_budget, expected_tokens, find_capacity, lone_latency_ms
from bench.speed.figures import NS_PER_MS, describe_failures, describe_retries, latency_figures
from bench.speed.rate_search import CONFIRMATIONS, Bounds, confirm_rate, highest_holding
from bench.speed.server_runs import ServerRun, ServerTest, confirmation_queries
from bench.types import Progress, Session

LOWER_PERCENTILES = (95.0, 90.0)
LOWEST_SHARE_OF_CAPACITY = 1 / 32
HIGHEST_RPS = 20_000.0
MOST_QUERIES = 2_000_000  # LoadGen generates a run's queries ahead


def run_server(
    session: Session,
    texts: Sequence[str],
    warmup_texts: Sequence[str],
    tier: Tier,
    seed: int,
    log_folder: Path,
    progress: Progress,
) -> tuple[LoadRun, np.ndarray]:
    """Warm up, search, confirm; the figures and raw latencies of the median confirmation, int64 (queries,) in ns.

    The latencies are empty for a run too long to trace. Raises what the session raised.
    """
    progress("server: warming up", 0, 1)
    capacity = find_capacity(session, warmup_texts)
    recompiles = session.recompiles()
    percentile = affordable_percentile(tier, capacity.rate_rps)
    test = ServerTest(
        session=session,
        texts=texts,
        tokens=expected_tokens(capacity, texts),
        budget=batch_budget(session, capacity, tier.latency_limit_ms),
        tier=tier,
        seed=seed,
        percentile=percentile,
        log_folder=log_folder,
        progress=progress,
    )
    lone_ms = lone_latency_ms(session, warmup_texts, percentile)
    rate_rps, reason = None, f"one request alone takes {lone_ms:.3g} ms"
    if lone_ms <= tier.latency_limit_ms:
        rate_rps = _find(test, capacity)
        reason = _why_none(test.points)
    after = session.recompiles()
    counted = None if after is None or recompiles is None else after - recompiles
    if rate_rps is None:
        if test.failed_requests:
            reason += f"; {describe_failures(test.failed_requests)}"
        if test.retried_requests:
            reason += f"; {describe_retries(test.retried_requests)}"
        limit = f"p{test.percentile:g} within {tier.latency_limit_ms:g} ms"
        return _none_held(test, capacity, counted, f"INVALID: no rate keeps {limit} ({reason})"), np.empty(0, np.int64)
    standing = sorted(test.confirmations, key=lambda run: run.point.rate_rps or 0.0)[CONFIRMATIONS // 2]
    return _load_run(test, capacity, counted, standing), standing.latencies_ns


def _find(test: ServerTest, capacity: Capacity) -> float | None:
    tier = test.tier
    lowest = capacity.rate_rps * LOWEST_SHARE_OF_CAPACITY
    highest = min(HIGHEST_RPS, MOST_QUERIES / tier.min_duration_s)
    bounds = Bounds(capacity.rate_rps / 2, min(lowest, highest), highest, tier.server_resolution)
    deadline = time.monotonic() + tier.server_search_s
    best = highest_holding(test.probe, bounds, lambda: time.monotonic() > deadline)
    if best is None:
        return None
    test.percentile = min(test.percentile, affordable_percentile(tier, best))
    return confirm_rate(test.confirm, best, bounds.lowest_rps)


def affordable_percentile(tier: Tier, rate_rps: float) -> float:
    """The tier's percentile, or the highest lower one whose three confirmations fit the tier's time at this rate."""
    choices = [tier.server_percentile, *(lower for lower in LOWER_PERCENTILES if lower < tier.server_percentile)]
    for percent in choices:
        needed_s = CONFIRMATIONS * confirmation_queries(tier, percent) / rate_rps
        if tier.server_confirm_s is None or needed_s <= tier.server_confirm_s:
            return percent
    return choices[-1]


def _why_none(points: Sequence[ServerPoint]) -> str:
    """Too slow an engine, or a machine that something else disturbs: rates that hold once hold again on a quiet one."""
    tried = f"{len(points)} runs down to {min(point.target_rps for point in points):,.1f}/s"
    once = max((point.target_rps for point in points if point.held), default=None)
    if once is None:
        return tried
    return (
        f"{tried}; up to {once:,.1f}/s held once, none three times in a row: is the machine busy with something else?"
    )


def _load_run(test: ServerTest, capacity: Capacity, recompiles: int | None, standing: ServerRun) -> LoadRun:
    point = standing.point
    rate_rps = point.rate_rps or 0.0
    figures = latency_figures(standing.latencies_ns)
    figures["p50_ms"] = point.p50_ms
    figures[f"p{test.percentile:g}_ms"] = point.limited_ms
    delays = standing.issue_delays_ns
    delay_ms = float(np.percentile(delays, 99, method="inverted_cdf")) / NS_PER_MS if len(delays) else None
    return LoadRun(
        scenario="server",
        valid=True,
        verdict=standing.verdict,
        queries=point.queries,
        samples=point.queries,
        duration_s=point.queries / rate_rps,
        rate_rps=rate_rps,
        **figures,
        tokens_per_s=standing.tokens_per_s,
        stages=standing.stages,
        warmup_s=capacity.warmup_s,
        warmup_rounds=capacity.rounds,
        recompiles=recompiles,
        failed_requests=dict(test.failed_requests),
        retried_requests=dict(test.retried_requests),
        passes_per_s=standing.passes_per_s,
        server=_search_record(test, point.target_rps, delay_ms),
        crowding=standing.crowding,
    )


def _none_held(test: ServerTest, capacity: Capacity, recompiles: int | None, verdict: str) -> LoadRun:
    """A run without figures; its points say what was tried."""
    return LoadRun(
        scenario="server",
        valid=False,
        verdict=verdict,
        queries=0,
        samples=0,
        duration_s=0.0,
        rate_rps=0.0,
        **latency_figures(np.empty(0, np.int64)),
        tokens_per_s=None,
        stages=Stages(tokenise_s=0.0, queue_s=0.0, forward_s=0.0, post_s=0.0, padding_share=None),
        warmup_s=capacity.warmup_s,
        warmup_rounds=capacity.rounds,
        recompiles=recompiles,
        failed_requests=dict(test.failed_requests),
        retried_requests=dict(test.retried_requests),
        server=_search_record(test, None, None),
    )


def _search_record(test: ServerTest, target_rps: float | None, issue_delay_ms: float | None) -> ServerSearch:
    concurrency = test.session.info.concurrency
    batched = concurrency is None
    return ServerSearch(
        limit_ms=test.tier.latency_limit_ms,
        percentile=test.percentile,
        target_rps=target_rps,
        token_budget=test.budget.tokens if batched else None,
        max_batch=test.budget.texts if batched else None,
        max_wait_ms=test.budget.wait_s * 1000 if batched else None,
        concurrency=concurrency,
        issue_delay_p99_ms=issue_delay_ms,
        points=tuple(test.points),
    )
