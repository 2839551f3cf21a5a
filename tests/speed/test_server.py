"""LoadGen's Server scenario over sessions of known service times: the rate found must be theirs."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sleeping_session import OTHER_TEXTS, TEXTS, SleepingSession

from bench.plan.plan import make_plan
from bench.plan.request import RunRequest
from bench.plan.tiers import Tier, load_tier, tier_names
from bench.results.speed_records import LoadRun
from bench.speed.batcher import BatchBudget
from bench.speed.capacity import Capacity, batch_budget, count_words, expected_tokens, find_capacity
from bench.speed.figures import summarise_runs
from bench.speed.mlperf import new_settings, read_verdict, start_test
from bench.speed.points import MORE_QUERIES, most_late
from bench.speed.server_runs import ServerTest, confirmation_queries
from bench.speed.server_scenario import _why_none, affordable_percentile, run_server
from bench.types import Prediction, SessionInfo

TIER = Tier(
    name="short",
    min_duration_s=0.3,
    min_queries=20,
    repeats=1,
    server_percentile=90.0,
    server_probe_s=0.3,
    server_search_s=5.0,
    server_resolution=0.1,
    cell_limit_s=60,
    fit_limit_s=60,
)


def quiet(*_: object) -> None:
    """No progress."""


def drive(session: Any, folder: Path, **changes: Any) -> tuple[LoadRun, np.ndarray]:
    return run_server(session, TEXTS, OTHER_TEXTS, TIER.model_copy(update=changes), 0, folder, quiet)


def fixed_rate(session: Any, folder: Path) -> ServerTest:
    return ServerTest(session, TEXTS, np.full(len(TEXTS), 3), BatchBudget(12, 4), TIER, 0, 90.0, folder, quiet)


@pytest.mark.slow
def test_the_rate_of_a_known_service_time(tmp_path: Path) -> None:
    """10 ms a text, however batched: 100 requests/s are the end, and a good part of it keeps within 100 ms."""
    session = SleepingSession(0.01)
    run, latencies_ns = drive(session, tmp_path)
    assert run.valid, run.verdict
    assert 35 <= run.rate_rps <= 115
    assert run.server is not None
    assert run.server.target_rps is not None
    confirmations = [point for point in run.server.points if point.purpose == "confirm"][-3:]
    assert [point.target_rps for point in confirmations] == [run.server.target_rps] * 3
    assert all(point.held and point.valid and point.limited_ms <= 100 for point in confirmations)
    assert run.rate_rps == sorted(point.rate_rps for point in confirmations)[1]
    assert any(not point.held for point in run.server.points), "it never met the end"
    assert run.p90_ms is not None
    assert 10 <= run.p90_ms <= 100
    assert run.p99_ms is None, "too few queries for it"
    assert len(latencies_ns) == run.queries >= 64
    assert latencies_ns.min() >= 10e6


@pytest.mark.slow
def test_a_batching_engine_serves_more_than_one_by_one(tmp_path: Path) -> None:
    """10 ms a call whatever its size: more than the 100 requests/s that single calls could answer."""
    session = SleepingSession(0.0)
    plain = session.predict

    def a_call(texts: Sequence[str]) -> Prediction:
        time.sleep(0.01)
        return plain(texts)

    session.predict = a_call  # type: ignore[method-assign]
    session.info = SessionInfo(load_s=0.0, details={"token_budget": 1024, "max_batch": 8})
    run, _ = drive(session, tmp_path)
    assert run.valid, run.verdict
    assert 150 <= run.rate_rps <= 850
    point = run.server.points[-1]  # type: ignore[union-attr]
    assert 1 < point.batch_mean <= 8


@pytest.mark.slow
def test_an_engine_that_schedules_itself(tmp_path: Path) -> None:
    """20 ms a text, eight at once: up to 400 requests/s, and never more than one text a call."""
    session = SleepingSession(0.02)
    session.info = SessionInfo(load_s=0.0, concurrency=8)
    run, _ = drive(session, tmp_path)
    assert run.valid, run.verdict
    assert 80 <= run.rate_rps <= 430
    assert run.server.concurrency == 8  # type: ignore[union-attr]
    assert run.server.token_budget is None  # type: ignore[union-attr]


def test_latencies_count_from_the_scheduled_arrival(tmp_path: Path) -> None:
    """One stall of 0.4 s at 100 requests/s delays all who came meanwhile, not the one that was being computed."""
    session = SleepingSession(0.001)
    plain = session.predict

    def stalling(texts: Sequence[str]) -> Prediction:
        if len(session.calls) == 30:
            time.sleep(0.4)
        return plain(texts)

    session.predict = stalling  # type: ignore[method-assign]
    test = fixed_rate(session, tmp_path)
    assert not test.confirm(100.0).held
    [run] = test.confirmations
    assert (run.latencies_ns >= 1e8).sum() >= 15
    assert run.latencies_ns.max() >= 3.5e8
    assert "Early stopping" in run.verdict or "latency" in run.verdict.lower()


def test_the_stored_latencies_are_loadgens(tmp_path: Path) -> None:
    test = fixed_rate(SleepingSession(0.002), tmp_path)
    assert test.confirm(100.0).held
    [run] = test.confirmations
    summary = (tmp_path / "mlperf_log_summary.txt").read_text()
    [largest] = re.findall(r"Max latency \(ns\) +: (\d+)", summary)
    [mean] = re.findall(r"Mean latency \(ns\) +: (\d+)", summary)
    assert run.latencies_ns.max() == int(largest)
    assert run.latencies_ns.mean() == pytest.approx(int(mean), rel=1e-6)
    assert (run.issue_delays_ns >= 0).all()
    assert (run.issue_delays_ns < run.latencies_ns).all()
    assert not (tmp_path / "mlperf_log_trace.json").exists()


def test_an_overload_is_given_up_and_has_no_figures(tmp_path: Path) -> None:
    test = fixed_rate(SleepingSession(0.1), tmp_path)
    trial = test.probe(200.0)
    assert not trial.held
    assert trial.hopeless
    [point] = test.points
    assert point.saturated
    assert point.rate_rps is point.limited_ms is None


def test_a_lost_confirmation_ends_before_its_last_query(tmp_path: Path) -> None:
    """Every answer is late, two may be: the other hundred queries are not waited for."""
    session = SleepingSession(0.02)
    test = fixed_rate(session, tmp_path)
    test.tier = TIER.model_copy(update={"latency_limit_ms": 10.0, "min_queries": 330})
    assert not test.confirm(30.0).held
    assert len(session.calls) < 20
    assert test.points[0].saturated
    assert "INVALID" in test.confirmations[0].verdict


@pytest.mark.slow
@pytest.mark.parametrize("percent", [90.0, 95.0, 99.0])
def test_loadgen_bears_as_many_late_answers_and_no_more(percent: float, tmp_path: Path) -> None:
    """Of 1,000 queries the first few are answered after 0.6 s, the others at once; the limit is 0.3 s."""
    late = most_late("confirm", round(1000 / MORE_QUERIES), percent)
    assert 0 < late < 1000 - 10 * percent
    assert _loadgen_accepts(late, percent, tmp_path)
    assert not _loadgen_accepts(late + 1, percent, tmp_path)
    assert most_late("search", 1000, percent) >= 1000 - 10 * percent


def _loadgen_accepts(late: int, percent: float, log_folder: Path) -> bool:
    import mlperf_loadgen as lg

    settings = new_settings(0, 0.01, 1000)
    settings.scenario = lg.TestScenario.Server
    settings.server_target_qps, settings.server_target_latency_ns = 5000.0, 300_000_000
    settings.server_target_latency_percentile = percent / 100
    seen: list[int] = []

    def answer(handles: list[int]) -> None:
        lg.QuerySamplesComplete([lg.QuerySampleResponse(handle, 0, 0) for handle in handles])

    def issue(samples: Sequence[Any]) -> None:
        handles = [sample.id for sample in samples]
        seen.extend(handles)
        if len(seen) > late:
            answer(handles)
        else:
            threading.Timer(0.6, answer, [handles]).start()

    start_test(issue, len(TEXTS), settings, log_folder)
    assert len(seen) == 1000
    return read_verdict(log_folder)[0]


@pytest.mark.slow
def test_no_run_is_too_short_for_its_limit(tmp_path: Path) -> None:
    """10 requests/s at most, 15 come: in a third of a second none is late, in four seconds the queue shows."""
    test = fixed_rate(SleepingSession(0.1), tmp_path)
    test.tier = TIER.model_copy(update={"latency_limit_ms": 1000.0})
    assert not test.probe(15.0).held
    assert not test.confirm(12.0).held
    assert test.probe(4.0).held


def test_an_engine_too_slow_for_the_limit_says_so(tmp_path: Path) -> None:
    run, latencies_ns = drive(SleepingSession(0.03), tmp_path, latency_limit_ms=20.0)
    assert not run.valid
    assert "no rate keeps p90 within 20 ms (one request alone takes 3" in run.verdict
    assert len(latencies_ns) == 0
    assert not summarise_runs("server", "short", [run]).valid


def test_a_disturbed_machine_is_told_from_a_slow_engine(tmp_path: Path) -> None:
    test = fixed_rate(SleepingSession(0.001), tmp_path)
    test.confirm(50.0)
    point = test.points[0]
    assert _why_none([point.model_copy(update={"held": False})]) == "1 runs down to 50.0/s"
    assert "up to 50.0/s held once, none three times in a row" in _why_none([point])


def test_a_failed_request_is_no_fast_answer(tmp_path: Path) -> None:
    session = SleepingSession(0.001)
    plain = session.predict

    def failing(texts: Sequence[str]) -> Prediction:
        session.clock.failed_requests["HTTP 503"] = session.clock.failed_requests.get("HTTP 503", 0) + 1
        return plain(texts)

    session.predict = failing  # type: ignore[method-assign]
    test = fixed_rate(session, tmp_path)
    assert not test.confirm(50.0).held
    assert test.points[0].failed_requests > 0
    assert not test.points[0].valid
    assert test.failed_requests["HTTP 503"] == test.points[0].failed_requests


def test_an_engine_that_breaks_is_not_a_slow_answer(tmp_path: Path) -> None:
    session = SleepingSession(0.001, fail_at=0)
    with pytest.raises(ValueError, match="the engine broke"):
        drive(session, tmp_path)


@pytest.mark.parametrize("name", tier_names())
def test_three_confirmations_fit_the_tier_or_a_lower_percentile_is_taken(name: str) -> None:
    tier = load_tier(name)
    assert affordable_percentile(tier, 1000.0) == tier.server_percentile
    slow = affordable_percentile(tier, 5.0)
    assert slow <= tier.server_percentile
    if tier.server_confirm_s is not None:
        assert slow == 90.0
    assert 3 * confirmation_queries(tier, slow) >= tier.min_queries


def test_no_batch_takes_more_than_a_third_of_the_limit() -> None:
    session = SleepingSession(0.0)
    session.info = SessionInfo(load_s=0.0, details={"token_budget": 1024, "max_batch": 64})

    def budget(rate_rps: float, tokens: float = 50.0) -> BatchBudget:
        capacity = Capacity(1.0, 2, rate_rps, tokens_per_text=tokens, tokens_per_word=1.2, longest_tokens=100)
        return batch_budget(session, capacity, limit_ms=100.0)

    assert budget(100.0) == BatchBudget(tokens=166, texts=3)
    assert budget(1e5) == BatchBudget(tokens=6400, texts=64), "which the engine packs by its own budget"
    assert budget(1.0).texts == 1
    session.info = SessionInfo(load_s=0.0)
    assert budget(1e5, tokens=0.0) == BatchBudget(tokens=None, texts=64)


def test_tokens_are_guessed_by_the_words() -> None:
    capacity = Capacity(1.0, 2, 100.0, tokens_per_text=5.0, tokens_per_word=1.5, longest_tokens=10)
    assert expected_tokens(capacity, ["", "one", "two words", "three, of them", "x " * 1000]).tolist() == [
        1,
        2,
        3,
        6,
        10,
    ]


def test_words_of_every_script_are_counted() -> None:
    assert count_words("Stocks fell 3.5% (again)") == 9
    assert count_words("今天天气好") == 5
    assert count_words("用iPhone拍的, 很好!") == 8


def test_a_slow_engine_is_not_warmed_up_for_minutes() -> None:
    session = SleepingSession(0.05)
    assert find_capacity(session, OTHER_TEXTS * 16).rate_rps == pytest.approx(20, rel=0.3)
    assert sum(map(len, session.calls)) < 400


def test_the_capacity_is_that_of_the_texts_own_lengths() -> None:
    """One text of a hundred is a hundred times longer: a spread over the lengths would be mostly that one."""
    session = SleepingSession(0.0)
    plain = session.predict

    def by_length(texts: Sequence[str]) -> Prediction:
        time.sleep(1e-5 * sum(map(len, texts)))
        return plain(texts)

    session.predict = by_length  # type: ignore[method-assign]
    texts = [("x" * 10_000 if number % 100 == 99 else "x" * 100) for number in range(512)]
    assert 250 <= find_capacity(session, texts).rate_rps <= 1000


def test_a_limit_without_the_scenario_is_a_mistake() -> None:
    from bench.errors import UsageError

    with pytest.raises(UsageError, match="add --scenario server"):
        make_plan(RunRequest(suites=("agnews",), p99_limit_ms=50.0), quiet)
