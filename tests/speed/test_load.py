"""LoadGen drives sessions of known behaviour; the figures must be theirs."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sleeping_session import OTHER_TEXTS, TEXTS, SleepingSession

from bench.errors import BenchError, UsageError
from bench.plan.tiers import TEXTS_A_CLASS, Tier, load_tier, tier_names
from bench.quality import intervals
from bench.quality.parity import REQUIRED, items_to_judge
from bench.results.speed_records import QUERIES_FOR, LoadRun
from bench.speed import warmup
from bench.speed.figures import latency_figures, summarise_runs
from bench.speed.loadgen import run_scenario
from bench.speed.mlperf import read_verdict
from bench.speed.warmup import repeat_speedup, warm_up
from bench.types import Prediction, Scenario

# LoadGen's verdict on the 90th percentile takes 64 queries: a busy machine answers fewer in a time, not fewer in all
SHORT = Tier(name="short", min_duration_s=0.1, min_queries=100, repeats=1, cell_limit_s=60, fit_limit_s=60)


def drive(session: SleepingSession, scenario: Scenario, folder: Path, tier: Tier = SHORT) -> tuple[LoadRun, np.ndarray]:
    return run_scenario(session, scenario, TEXTS, OTHER_TEXTS, tier, 0, folder, lambda *_: None)


def test_single_asks_one_text_at_a_time(tmp_path: Path) -> None:
    session = SleepingSession(0.004)
    run, latencies_ns = drive(session, "single", tmp_path)
    assert run.valid, run.verdict
    measured = [call for call in session.calls if call[0] in TEXTS]
    assert all(len(call) == 1 for call in measured)
    assert len({call[0] for call in measured}) > 20
    assert run.queries >= SHORT.min_queries
    assert run.queries == run.samples == len(latencies_ns) == len(measured)
    assert run.queries >= SHORT.min_queries
    assert run.duration_s >= SHORT.min_duration_s
    assert latencies_ns.min() >= 4e6
    assert run.rate_rps == pytest.approx(run.queries / run.duration_s)
    assert run.rate_rps <= 250


def test_the_figures_agree_with_loadgens_own(tmp_path: Path) -> None:
    run, latencies_ns = drive(SleepingSession(0.003), "single", tmp_path)
    summary = (tmp_path / "mlperf_log_summary.txt").read_text()
    [median_ns] = re.findall(r"50.00 percentile latency \(ns\) +: (\d+)", summary)
    assert run.p50_ms == pytest.approx(int(median_ns) / 1e6, rel=0.25), "a busy machine stops either between two clocks"
    assert float(latencies_ns.mean()) / 1e6 == pytest.approx(run.mean_ms)


def test_offline_hands_everything_over_at_once(tmp_path: Path) -> None:
    session = SleepingSession(0.0005)
    run, latencies_ns = drive(session, "offline", tmp_path)
    assert run.valid, run.verdict
    measured = [call for call in session.calls if call[0] in TEXTS]
    assert len(measured[-1]) == run.samples
    assert run.duration_s >= SHORT.min_duration_s
    assert run.queries == len(latencies_ns) == 1
    assert run.p50_ms is None
    assert run.tokens_per_s == pytest.approx(3 * run.samples / run.duration_s)
    assert run.stages.padding_share == pytest.approx(0.25)


def test_warm_up_uses_other_texts_and_is_not_counted(tmp_path: Path) -> None:
    session = SleepingSession(0.001)
    run, _ = drive(session, "single", tmp_path)
    warm = [call for call in session.calls if call[0] in OTHER_TEXTS]
    assert len(warm) >= 4 * run.warmup_rounds
    assert run.warmup_s >= 0.001 * len(warm)
    assert run.recompiles == run.queries
    assert run.stages.forward_s == pytest.approx(0.001 * run.queries)


class PlannedClock:
    """Stands in for the module `time`: no second passes but those that a session takes."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> PlannedClock:
    planned = PlannedClock()
    monkeypatch.setattr(warmup, "time", planned)
    return planned


def test_the_rate_of_the_warm_up_is_that_of_the_texts_own_lengths(clock: PlannedClock) -> None:
    """One long text of 64 takes a third of all time; a handful of texts with it would show a tenth of the rate."""
    session = SleepingSession(0.0)
    plain = session.predict

    def by_length(texts: Sequence[str]) -> Prediction:
        clock.now_s += 2e-4 * sum(map(len, texts))
        return plain(texts)

    session.predict = by_length  # type: ignore[method-assign]
    texts = ["x" * 3000, *("x" * (70 + number) for number in range(63))]
    mean = sum(map(len, texts)) / len(texts)
    rate_rps = warm_up(session, "offline", texts).rate_rps
    assert 0.6 < rate_rps * 2e-4 * mean < 1.6
    assert max(map(len, session.calls[0])) == 3000, "the longest is met before anything is timed"


def test_warm_up_ends_when_the_rate_settles_or_never_does(clock: PlannedClock) -> None:
    session = SleepingSession(0.0)

    def steady(texts: Sequence[str]) -> Any:
        clock.now_s += 0.001 * len(texts)

    def slower_each_time(texts: Sequence[str]) -> Any:
        session.calls.append(texts)
        clock.now_s += 0.0002 * len(session.calls)

    session.predict = steady  # type: ignore[method-assign]
    assert warm_up(session, "offline", OTHER_TEXTS).rounds == 2
    session.predict = slower_each_time  # type: ignore[method-assign]
    assert warm_up(session, "offline", OTHER_TEXTS).rounds == 5


@pytest.mark.parametrize("scenario", ["single", "offline"])
def test_an_engine_that_breaks_is_not_a_slow_answer(tmp_path: Path, scenario: Scenario) -> None:
    with pytest.raises(ValueError, match="the engine broke"):
        drive(SleepingSession(0.001, fail_at=0), scenario, tmp_path)


def test_an_injected_stall_is_seen(tmp_path: Path) -> None:
    """One answer of 200 ms among fast ones is the largest latency, and LoadGen saw the same."""
    session = SleepingSession(0.001)
    plain = session.predict

    def stalling(texts: Sequence[str]) -> Prediction:
        if sum(call[0] in TEXTS for call in session.calls) == SHORT.min_queries // 2:
            time.sleep(0.2)
        return plain(texts)

    session.predict = stalling  # type: ignore[method-assign]
    _, latencies_ns = drive(session, "single", tmp_path)
    assert latencies_ns.max() >= 2e8
    [largest] = re.findall(r"Max latency \(ns\) +: (\d+)", (tmp_path / "mlperf_log_summary.txt").read_text())
    assert int(largest) >= 2e8


@given(n=st.integers(1, 8000))
def test_percentiles_only_where_the_sample_supports_them(n: int) -> None:
    figures = latency_figures(np.arange(1, n + 1) * 1_000_000)
    for percent, needed in QUERIES_FOR.items():
        value = figures[f"p{percent:g}_ms".replace(".", "")]
        assert (value is None) == (n < needed)
        if value is not None:
            assert value == pytest.approx(np.ceil(percent / 100 * n), abs=1)


def test_an_invalid_verdict_says_why(tmp_path: Path) -> None:
    (tmp_path / "mlperf_log_summary.txt").write_text("Result is : INVALID\n  Min duration satisfied : NO\n")
    assert read_verdict(tmp_path) == (False, "INVALID: Min duration not satisfied")
    with pytest.raises(BenchError, match="wrote no summary"):
        read_verdict(tmp_path / "missing")


def test_a_summary_is_the_median_run_with_the_range(tmp_path: Path) -> None:
    run, _ = drive(SleepingSession(0.002), "single", tmp_path)
    runs = [run.model_copy(update={"rate_rps": rate, "p50_ms": rate}) for rate in (30.0, 10.0, 20.0)]
    summary = summarise_runs("single", "standard", runs)
    assert (summary.rate_low_rps, summary.rate_rps, summary.rate_high_rps) == (10.0, 20.0, 30.0)
    assert summary.p50_ms == 20.0
    assert summary.valid
    broken = runs[1].model_copy(update={"valid": False, "verdict": "INVALID: Min queries not satisfied"})
    assert not summarise_runs("single", "standard", [runs[0], broken]).valid


def test_the_lower_of_two_middle_runs_stands_for_an_even_number(tmp_path: Path) -> None:
    run, _ = drive(SleepingSession(0.004), "single", tmp_path)
    runs = [run.model_copy(update={"rate_rps": rate, "p50_ms": 1000 / rate}) for rate in (40.0, 10.0, 30.0, 20.0)]
    summary = summarise_runs("single", "standard", runs)
    assert (summary.rate_rps, summary.p50_ms) == (20.0, 50.0)
    assert (summary.rate_low_rps, summary.rate_high_rps) == (10.0, 40.0)


def test_a_percentile_is_a_latency_that_was_measured() -> None:
    """The nearest rank, as LoadGen takes it, and nothing between two queries."""
    latencies_ns = np.array([1.0, 2.0, 10.0, 100.0]) * 1e6
    assert latency_figures(latencies_ns)["p50_ms"] == 2.0
    many = np.append(np.ones(90), np.full(10, 50.0)) * 1e6
    assert latency_figures(many)["p90_ms"] == 1.0


def test_a_cache_is_faster_the_second_time() -> None:
    class Cached:
        def __init__(self) -> None:
            self.seen: set[str] = set()

        def predict(self, texts: Sequence[str]) -> None:
            if texts[0] not in self.seen:
                self.seen.add(texts[0])
                time.sleep(0.01)

    session: Any = Cached()
    median, low_end = repeat_speedup(session, [f"a text number {number} of its own" for number in range(64)])
    assert median >= low_end > 1.5


def test_words_and_lengths_met_for_the_first_time_are_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine of 50 us fetches a new word's weights from memory: it seemed 1.7 times faster the second time."""
    clock = [0.0]

    class FetchesNewWords:
        def __init__(self) -> None:
            self.met: set[object] = set()

        def predict(self, texts: Sequence[str]) -> None:
            parts = {len(texts[0]), *texts[0].split()}
            clock[0] += 1e-5 + 1e-4 * len(parts - self.met)
            self.met |= parts

    monkeypatch.setattr("bench.speed.warmup.time", SimpleNamespace(perf_counter=lambda: clock[0]))
    session: Any = FetchesNewWords()
    texts = [" ".join(f"w{number}x{place}" for place in range(20 + number)) for number in range(64)]
    assert repeat_speedup(session, texts) == pytest.approx((1.0, 1.0), abs=0.1)


@pytest.mark.parametrize("name", tier_names())
def test_every_tier_can_be_loaded(name: str) -> None:
    tier = load_tier(name)
    assert tier.min_duration_s > 0
    assert tier.repeats >= 1
    assert tier.items_for("sequence", 10) == 10
    assert tier.items_for("options", 10) == 10


def test_language_models_answer_the_head_of_the_test_texts() -> None:
    assert load_tier("quick").items_for("options", 2000) == 200
    assert load_tier("quick").items_for("generate", 2000) == 200
    assert load_tier("quick").items_for("sequence", 2000) == 2000


def test_many_classes_take_more_texts_of_a_language_model() -> None:
    """150 classes on 32 texts gave macro F1 .124 at accuracy .594."""
    assert TEXTS_A_CLASS == intervals.TEXTS_A_CLASS
    assert load_tier("sample").items_for("options", 5000, classes=4) == 32
    assert load_tier("sample").items_for("options", 5000, classes=150) == 600
    assert load_tier("quick").items_for("served", 5000, classes=150) == 600
    assert load_tier("quick").items_for("generate", 300, classes=150) == 300
    assert load_tier("quick").items_for("options", 5000, "random", classes=150) == 200


def test_the_standard_tier_judges_the_bar_of_an_fp32_certificate() -> None:
    assert load_tier("standard").items_for("options", 10_000) >= items_to_judge(REQUIRED["fp32"])


def test_an_unknown_tier_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean quick"):
        load_tier("quik")
