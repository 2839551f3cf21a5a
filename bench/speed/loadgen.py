"""MLPerf LoadGen drives the load: from the raw string to the label, on real texts, after a warm-up on other texts."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.plan.tiers import Tier
from bench.results.speed_records import QUERIES_FOR, LoadRun, LoadSummary, Stages
from bench.text.tokens import settle_caches
from bench.types import Progress, Scenario, Session

STEADY = 0.1
MIN_WARMUP_ROUNDS = 2
MAX_WARMUP_ROUNDS = 5
WARMUP_ROUND_S = 0.3
WARMUP_FIRST_TEXTS = 4
WARMUP_SINGLE_TEXTS = 64
OFFLINE_MARGIN = 1.1
# A warm-up of 0.3 s misses up to a third of the rate, since a few texts cannot be sorted into batches of like length; a
# run that comes out too short has to be made again, which costs more than a run that is longer than it must be.
WARMUP_MISSES, WARMUP_MISSES_S = 0.4, 1.0
PREGENERATED = 4
MAX_SAMPLES = 2_000_000  # LoadGen generates all queries ahead, about 100 bytes each; no real engine needs more
ATTEMPTS = 3
NS_PER_S = 1e9
NS_PER_MS = 1e6

REPEATED_TEXTS = 32
FEWEST_REPEATED = 5
REPEATS_LIMIT_S = 0.4


@dataclass(frozen=True)
class WarmUp:
    """How the warm-up went: seconds, rounds, and the steady rate in texts/s."""

    warmup_s: float
    rounds: int
    rate_rps: float


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
        driver = drive(session, scenario, texts, _settings(scenario, tier, seed, expected_rps), log_folder)
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
        passes_per_s=session.clock.batches / driver.duration_s if session.clock.batches else None,
    )
    return run, latencies_ns


def warm_up(session: Session, scenario: Scenario, texts: Sequence[str]) -> WarmUp:
    """Predict other texts, as the scenario will, until two rounds in a row differ by less than 10 %.

    The first round has the shortest and the longest text; those after it are about 0.3 s long and have lengths as the
    texts have them, because the rate is taken from the last. A machine too noisy to settle is given up on after 5.
    Tokenizers keep the words of these texts and no others: the timed texts may have been answered before.
    """
    most = WARMUP_SINGLE_TEXTS if scenario == "single" else len(texts)
    count = min(WARMUP_FIRST_TEXTS, most)
    started = time.perf_counter()
    settle_caches(texts)
    rate = before = 0.0
    rounds = 0
    while rounds < MAX_WARMUP_ROUNDS and (rounds < MIN_WARMUP_ROUNDS or abs(rate - before) > STEADY * rate):
        before = rate
        chosen = _spread(texts, count, with_ends=rounds == 0)
        round_started = time.perf_counter()
        for batch in [[text] for text in chosen] if scenario == "single" else [chosen]:
            session.predict(batch)
        rate = len(chosen) / max(time.perf_counter() - round_started, 1e-9)
        count = int(np.clip(rate * WARMUP_ROUND_S, WARMUP_FIRST_TEXTS, most))
        rounds += 1
    return WarmUp(time.perf_counter() - started, rounds, rate)


def repeat_speedup(session: Session, texts: Sequence[str]) -> tuple[float, float]:
    """How many times faster a text is answered the second time: near 1, unless answers come from a cache.

    What MLPerf's compliance test TEST04 looks for. The texts are new to the session: each is the first half of one of
    `texts` and the second half of another. Its halves are answered the other way round before: a session that has met
    the words and the length, in the processor's caches or in compiled kernels, has not met the text. Median over 32
    texts, over fewer (at least 5) where they take over 0.4 s; and the low end of that median's 97 % interval or wider,
    by the sign test, which a disturbed machine does not move.
    """
    ratios: list[float] = []
    started = time.perf_counter()
    pairs = zip(texts, reversed(texts), strict=True)
    new = dict.fromkeys((one[: len(one) // 2], other[len(other) // 2 :]) for one, other in pairs)
    for number, (head, tail) in enumerate(islice(new, REPEATED_TEXTS)):
        if number >= FEWEST_REPEATED and time.perf_counter() - started > REPEATS_LIMIT_S:
            break
        session.predict((f"{tail} {head}",))
        first_s, second_s = (_predict_s(session, (f"{head} {tail}",)) for _ in range(2))
        ratios.append(first_s / max(second_s, 1e-9))
    below = max(0, int(len(ratios) / 2 - np.sqrt(len(ratios)) * 1.3))
    return float(np.median(ratios)), sorted(ratios)[below]


def _predict_s(session: Session, texts: Sequence[str]) -> float:
    started = time.perf_counter()
    session.predict(texts)
    return time.perf_counter() - started


def _spread(texts: Sequence[str], count: int, with_ends: bool) -> list[str]:
    """Texts of every length alike; with the shortest and the longest, which a few texts would overrate."""
    by_length = sorted(texts, key=len)
    count = min(count, len(by_length))
    last = len(by_length) - 1
    places = np.linspace(0, last, count) if with_ends else (np.arange(count) + 0.5) / count * len(by_length)
    return [by_length[min(int(place), last)] for place in places]


def drive(session: Session, scenario: Scenario, texts: Sequence[str], settings: Any, log_folder: Path) -> Driver:
    """One LoadGen test with these TestSettings; raises what the session raised inside it."""
    import mlperf_loadgen as lg

    driver = Driver(session, texts, lg.QuerySamplesComplete, lg.QuerySampleResponse)
    start_test(driver.single if scenario == "single" else driver.offline, len(texts), settings, log_folder)
    if driver.error is not None:
        raise driver.error
    if not driver.queries:
        raise BenchError(f"LoadGen issued no query; its log is in {log_folder}")
    return driver


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


def new_settings(seed: int, min_duration_s: float, min_queries: int) -> Any:
    """What every LoadGen test of ours has in common."""
    import mlperf_loadgen as lg

    settings = lg.TestSettings()
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms = round(min_duration_s * 1000)
    settings.min_query_count = min_queries
    settings.qsl_rng_seed = settings.sample_index_rng_seed = settings.schedule_rng_seed = seed + 1
    return settings


def _nothing(_: Sequence[int]) -> None:
    """All texts are in memory already."""


def _settings(scenario: Scenario, tier: Tier, seed: int, expected_rps: float) -> Any:
    """LoadGen generates its queries ahead, as many as the expected rate needs for the tier's duration."""
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
