"""Drives the load with MLPerf LoadGen: from the raw string to the label, on real texts, after a warm-up on others."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.machine.crowding import CrowdClock, Crowding
from bench.plan.tiers import Tier
from bench.results.speed_records import LoadRun
from bench.speed.figures import NS_PER_S, describe_failures, latency_figures, stages_of
from bench.speed.mlperf import read_verdict, scenario_settings, start_test
from bench.speed.warmup import warm_up
from bench.types import Progress, Scenario, Session

ATTEMPTS = 3


@dataclass
class Driver:
    """Answers LoadGen's queries with a session; errors are kept for after the test, LoadGen cannot carry them."""

    session: Session
    texts: Sequence[str]
    complete: Callable[[list[Any]], None]
    response: Callable[[int, int, int], Any]
    latencies_ns: list[int] = field(default_factory=list)
    queries: int = 0
    samples: int = 0
    first_ns: int = 0
    last_ns: int = 0
    error: BaseException | None = None
    crowding: Crowding | None = None

    @property
    def duration_s(self) -> float:
        """From the first query's issue to the last one's answer, LoadGen's own time between queries included."""
        return (self.last_ns - self.first_ns) / NS_PER_S

    @property
    def rate_rps(self) -> float:
        return self.samples / self.duration_s

    def single(self, samples: Sequence[Any]) -> None:
        """One request at a time."""
        started = time.perf_counter_ns()
        sample = samples[0]
        lost = self.session.clock.lost_texts
        if self.error is None:
            try:
                self.session.predict((self.texts[sample.index],))
            except BaseException as error:
                self.error = error
        self.complete([self.response(sample.id, 0, 0)])
        self._ended(started, 0 if self.session.clock.lost_texts > lost else 1)

    def offline(self, samples: Sequence[Any]) -> None:
        """Everything at once: one call, the session sorts and packs over all of it."""
        started = time.perf_counter_ns()
        lost = self.session.clock.lost_texts
        try:
            self.session.predict([self.texts[sample.index] for sample in samples])
        except BaseException as error:
            self.error = error
        self.complete([self.response(sample.id, 0, 0) for sample in samples])
        self._ended(started, len(samples) - (self.session.clock.lost_texts - lost))

    def _ended(self, started_ns: int, samples: int) -> None:
        """A query that an endpoint failed is no slow answer: it has no latency and counts for no rate."""
        self.last_ns = time.perf_counter_ns()
        self.first_ns = self.first_ns or started_ns
        self.queries += 1
        if samples:
            self.latencies_ns.append(self.last_ns - started_ns)
            self.samples += samples


def run_scenario(
    session: Session,
    scenario: Scenario,
    texts: Sequence[str],
    warmup_texts: Sequence[str],
    tier: Tier,
    seed: int,
    log_folder: Path,
    progress: Progress,
) -> tuple[LoadRun, np.ndarray]:
    """Warm up, run one LoadGen scenario, and return its figures and raw latencies, int64 (queries,) in nanoseconds.

    The latency of `offline` is that of its one query. Raises what the session raised, BenchError when LoadGen fails.
    """
    progress(f"{scenario}: warming up", 0, 1)
    warm = warm_up(session, scenario, warmup_texts)
    recompiles = session.recompiles()
    progress(f"{scenario}: measuring for {tier.min_duration_s:g} s", 0, 1)
    expected_rps = warm.rate_rps
    for _ in range(ATTEMPTS):
        session.clock.reset()
        gc.collect()
        driver = drive(session, scenario, texts, scenario_settings(scenario, tier, seed, expected_rps), log_folder)
        valid, verdict = read_verdict(log_folder)
        if valid or driver.duration_s >= tier.min_duration_s:
            break
        expected_rps = max(driver.rate_rps, 2 * expected_rps)
    failed_requests = dict(session.clock.failed_requests)
    if failed_requests:
        valid, verdict = False, f"INVALID: {describe_failures(failed_requests)} in {driver.queries} queries"
    latencies_ns = np.asarray(driver.latencies_ns, dtype=np.int64)
    after = session.recompiles()
    run = LoadRun(
        scenario=scenario,
        valid=valid,
        verdict=verdict,
        queries=len(latencies_ns),
        samples=driver.samples,
        duration_s=driver.duration_s,
        rate_rps=driver.rate_rps,
        **latency_figures(latencies_ns if scenario == "single" else latencies_ns[:0]),
        tokens_per_s=session.clock.real_tokens / driver.duration_s if session.clock.real_tokens else None,
        stages=stages_of(session),
        warmup_s=warm.warmup_s,
        warmup_rounds=warm.rounds,
        recompiles=None if after is None or recompiles is None else after - recompiles,
        failed_requests=failed_requests,
        retried_requests=dict(session.clock.retried_requests),
        refused=session.clock.refused,
        crowding=driver.crowding,
        passes_per_s=session.clock.batches / driver.duration_s if session.clock.batches else None,
    )
    return run, latencies_ns


def drive(session: Session, scenario: Scenario, texts: Sequence[str], settings: Any, log_folder: Path) -> Driver:
    """One LoadGen test with these TestSettings, and what others took meanwhile; raises what the session raised."""
    import mlperf_loadgen as lg

    driver = Driver(session, texts, lg.QuerySamplesComplete, lg.QuerySampleResponse)
    clock = CrowdClock()
    start_test(driver.single if scenario == "single" else driver.offline, len(texts), settings, log_folder)
    driver.crowding = clock.read()
    if driver.error is not None:
        raise driver.error
    if not driver.queries:
        raise BenchError(f"LoadGen issued no query; its log is in {log_folder}")
    return driver
