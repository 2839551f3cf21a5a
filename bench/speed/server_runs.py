"""Runs one session under Poisson load, run after run: probes of a rate, and confirmations of it."""

from __future__ import annotations

import gc
import math
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine.crowding import CrowdClock, Crowding
from bench.plan.tiers import Tier
from bench.results.speed_records import QUERIES_FOR, Purpose, ServerPoint, Stages
from bench.speed.batcher import BatchBudget, Batcher, GiveUp
from bench.speed.figures import NS_PER_MS, stages_of
from bench.speed.mlperf import read_verdict, server_settings, start_test
from bench.speed.points import most_late, read_point, read_trace
from bench.speed.rate_search import CONFIRMATIONS, Trial
from bench.types import Progress, Session

MOST_TRACED_QUERIES = 400_000  # its trace, the one place with every sample's latency, takes 1.6 kB a query
LEAST_GIVE_UP_S = 1.0
GIVE_UP_LIMITS = 4.0
MORE_THAN_WAIT = 4  # requests outstanding that cannot be waiting for a run that goes on
FEWEST_PROBED = 64  # a curve's p90 takes as many; a slow engine's probe takes fewer, within some times its length
LONGER_PROBE = 5
LIMITS_LONG: dict[Purpose, float] = {"search": 4.0, "confirm": 10.0}  # at less, a queue that grows may not show yet


@dataclass(frozen=True)
class ServerRun:
    """One LoadGen run: its point, LoadGen's verdict, and what a result shows of the run that stands for it.

    latencies_ns int64 (queries,), issue_delays_ns the part of it by which LoadGen was late; empty when not traced.
    """

    point: ServerPoint
    overloaded: bool
    verdict: str
    stages: Stages
    tokens_per_s: float | None
    passes_per_s: float | None
    latencies_ns: np.ndarray
    issue_delays_ns: np.ndarray
    crowding: Crowding


@dataclass
class ServerTest:
    """One session under Poisson load, run after run; every run leaves its point."""

    session: Session
    texts: Sequence[str]
    tokens: np.ndarray
    budget: BatchBudget
    tier: Tier
    seed: int
    percentile: float
    log_folder: Path
    progress: Progress
    points: list[ServerPoint] = field(default_factory=list)
    confirmations: list[ServerRun] = field(default_factory=list)
    failed_requests: Counter[str] = field(default_factory=Counter)
    retried_requests: Counter[str] = field(default_factory=Counter)

    def probe(self, rate_rps: float) -> Trial:
        """A short run: held when the percentile is within the limit."""
        in_time = round(LONGER_PROBE * self.tier.server_probe_s * rate_rps)
        fewest = max(min(FEWEST_PROBED, in_time), round(100 / (100 - self.percentile)))
        run = self._run("search", rate_rps, self.tier.server_probe_s, fewest)
        return Trial(run.point.held, hopeless=run.overloaded)

    def confirm(self, rate_rps: float) -> Trial:
        """A run of the tier's length: held when LoadGen says VALID, which is the limit kept with 99 % confidence."""
        if self.confirmations and self.confirmations[-1].point.target_rps != rate_rps:
            self.confirmations.clear()
        run = self._run("confirm", rate_rps, self.tier.min_duration_s, confirmation_queries(self.tier, self.percentile))
        self.confirmations.append(run)
        return Trial(run.point.held)

    def _run(self, purpose: Purpose, rate_rps: float, min_duration_s: float, min_queries: int) -> ServerRun:
        self.progress(f"server: {purpose} at {rate_rps:.4g}/s", len(self.points), 0)
        limit_ms = self.tier.latency_limit_ms
        min_duration_s = max(min_duration_s, LIMITS_LONG[purpose] * limit_ms / 1000)
        seed = 1000 * self.seed + len(self.points)
        settings = server_settings(rate_rps, self.tier, self.percentile, seed, min_duration_s, min_queries)
        traced = purpose == "confirm" and max(min_queries, rate_rps * min_duration_s) <= MOST_TRACED_QUERIES
        self.session.clock.reset()
        gc.collect()
        queries = max(min_queries, round(rate_rps * min_duration_s))
        watch = CrowdClock()
        batcher = _serve(self, settings, traced, most_late(purpose, queries, self.percentile))
        crowding = watch.read()
        _, verdict = read_verdict(self.log_folder)
        clock = self.session.clock
        self.failed_requests.update(clock.failed_requests)
        self.retried_requests.update(clock.retried_requests)
        point = read_point(self.log_folder, batcher, purpose, rate_rps, self.percentile, limit_ms, clock.turned_away)
        self.points.append(point)
        latencies_ns, issue_delays_ns = read_trace(self.log_folder) if traced else (np.empty(0, np.int64),) * 2
        per_s = (point.rate_rps or 0.0) / max(1, point.queries)
        return ServerRun(
            point=point,
            overloaded=_is_overload(batcher, limit_ms),
            verdict=verdict,
            stages=stages_of(self.session),
            tokens_per_s=clock.real_tokens * per_s or None,
            passes_per_s=clock.batches * per_s or None,
            latencies_ns=latencies_ns,
            issue_delays_ns=issue_delays_ns,
            crowding=crowding,
        )


def confirmation_queries(tier: Tier, percentile: float) -> int:
    """As many as the percentile needs; the three confirmations together at least the tier's queries."""
    return max(QUERIES_FOR[percentile], -(-tier.min_queries // CONFIRMATIONS))


def _serve(test: ServerTest, settings: Any, traced: bool, late: int) -> Batcher:
    """LoadGen issues from a thread of its own, the engine computes on this one; raises what either raised.

    A lost run ends early: its requests stay outstanding until they are more than LoadGen was told to bear.
    """
    import mlperf_loadgen as lg

    def complete(handles: list[int]) -> None:
        lg.QuerySamplesComplete([lg.QuerySampleResponse(handle, 0, 0) for handle in handles])

    limit_s = test.tier.latency_limit_ms / 1000
    give_up = GiveUp(max(LEAST_GIVE_UP_S, GIVE_UP_LIMITS * limit_s), limit_s, late)
    batcher = Batcher(test.session, test.budget, complete, give_up)
    settings.server_max_async_queries = (
        MORE_THAN_WAIT + batcher.concurrency + math.ceil(settings.server_target_qps * give_up.wait_s)
    )
    failures: list[BaseException] = []

    def issue(samples: Sequence[Any]) -> None:
        for sample in samples:
            batcher.put(sample.id, test.texts[sample.index], int(test.tokens[sample.index]))

    def load() -> None:
        try:
            start_test(issue, len(test.texts), settings, test.log_folder, traced, batcher.close)
        except BaseException as error:
            failures.append(error)
        finally:
            batcher.close()

    thread = threading.Thread(target=load, name="loadgen", daemon=True)
    thread.start()
    batcher.serve()
    thread.join()
    for error in (batcher.error, *failures):
        if error is not None:
            raise error
    return batcher


def _is_overload(batcher: Batcher, limit_ms: float) -> bool:
    """Whether most requests queued for long, which no passing disturbance of the machine does."""
    latencies_ns = batcher.record.latencies_ns
    return batcher.saturated or (len(latencies_ns) > 0 and float(np.median(latencies_ns)) > limit_ms / 2 * NS_PER_MS)
