"""Speaks to MLPerf LoadGen: the settings of every kind of test, one test, its verdict."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.plan.tiers import Tier
from bench.speed.figures import NS_PER_MS, NS_PER_S
from bench.types import Scenario

OFFLINE_MARGIN = 1.1
# A warm-up of 0.3 s misses up to a third of the rate, since a few texts cannot be sorted into batches of like length; a
# run that comes out too short has to be made again, which costs more than a run that is longer than it must be.
WARMUP_MISSES, WARMUP_MISSES_S = 0.4, 1.0
PREGENERATED = 4
MAX_SAMPLES = 2_000_000  # LoadGen generates all queries ahead, about 100 bytes each; no real engine needs more


def new_settings(seed: int, min_duration_s: float, min_queries: int) -> Any:
    """What every LoadGen test of ours has in common."""
    import mlperf_loadgen as lg

    settings = lg.TestSettings()
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms = round(min_duration_s * 1000)
    settings.min_query_count = min_queries
    settings.qsl_rng_seed = settings.sample_index_rng_seed = settings.schedule_rng_seed = seed + 1
    return settings


def scenario_settings(scenario: Scenario, tier: Tier, seed: int, expected_rps: float) -> Any:
    """Those of a `single` or `offline` run: generated ahead, as many queries as this rate needs in the tier's time."""
    import mlperf_loadgen as lg

    highest_rps = MAX_SAMPLES / tier.min_duration_s
    queries = tier.queries_for(expected_rps)
    settings = new_settings(seed, tier.min_duration_s, queries if scenario == "single" else 1)
    if scenario == "single":
        settings.scenario = lg.TestScenario.SingleStream
        pregenerated_rps = min(expected_rps * PREGENERATED, highest_rps)
        settings.single_stream_target_latency_percentile = tier.target_percentile / 100
        settings.single_stream_expected_latency_ns = max(1, round(NS_PER_S / pregenerated_rps))
    else:
        settings.scenario = lg.TestScenario.Offline
        margin = OFFLINE_MARGIN + min(WARMUP_MISSES, WARMUP_MISSES_S / tier.min_duration_s)
        needed_rps = max(expected_rps * margin, queries / tier.min_duration_s)
        settings.offline_expected_qps = min(needed_rps, highest_rps)
    return settings


def server_settings(
    rate_rps: float, tier: Tier, percentile: float, seed: int, min_duration_s: float, min_queries: int
) -> Any:
    """Those of a `server` run: Poisson arrivals at this rate, this percentile within the tier's limit."""
    import mlperf_loadgen as lg

    settings = new_settings(seed, min_duration_s, min_queries)
    settings.scenario = lg.TestScenario.Server
    settings.server_target_qps = rate_rps
    settings.server_target_latency_ns = round(tier.latency_limit_ms * NS_PER_MS)
    settings.server_target_latency_percentile = percentile / 100
    return settings


def turn_settings(scenario: Scenario, texts: int, seed: int) -> Any:
    """Those of a gate's turn: every text once, in an order that is the same for everyone who gets the same seed."""
    import mlperf_loadgen as lg

    settings = new_settings(seed, 0, texts)
    settings.performance_issue_unique = True
    if scenario == "single":
        settings.scenario = lg.TestScenario.SingleStream
        settings.max_query_count = texts
    else:
        settings.scenario = lg.TestScenario.Offline
        settings.offline_expected_qps = 1.0
    return settings


def _nothing_waits() -> None:
    """No batch waits to become full."""


def start_test(
    issue: Callable[[Sequence[Any]], None],
    texts: int,
    settings: Any,
    log_folder: Path,
    trace: bool = False,
    issued_all: Callable[[], None] = _nothing_waits,
) -> None:
    """Run LoadGen over so many texts until its last query is answered; its logs are in the folder.

    `issued_all` is called when no more queries will come, before the last ones are answered.
    """
    import mlperf_loadgen as lg

    log_folder.mkdir(parents=True, exist_ok=True)
    log = lg.LogSettings()
    log.enable_trace = trace
    log.log_output.outdir = str(log_folder)
    log.log_output.copy_summary_to_stdout = False
    sut = lg.ConstructSUT(issue, issued_all)
    qsl = lg.ConstructQSL(texts, texts, _nothing, _nothing)
    try:
        lg.StartTestWithLogSettings(sut, qsl, settings, log)
    finally:
        lg.DestroyQSL(qsl)
        lg.DestroySUT(sut)


def _nothing(_: Sequence[int]) -> None:
    """All texts are in memory already."""


def read_verdict(log_folder: Path) -> tuple[bool, str]:
    """LoadGen's own verdict from its summary: whether it is VALID, and the conditions that were not met."""
    path = log_folder / "mlperf_log_summary.txt"
    try:
        summary = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BenchError(f"LoadGen wrote no summary to {path} ({error.strerror})") from error
    if re.search(r"^Result is : VALID", summary, re.MULTILINE):
        return True, "VALID"
    unmet = re.findall(r"^\s+(.*) satisfied ?: NO", summary, re.MULTILINE)
    return False, f"INVALID: {', '.join(unmet) or 'see LoadGen log'} not satisfied"
