"""Figures of speed against their definitions, exactly: limits of the machine, shares of them, late answers, padding."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sleeping_session import OTHER_TEXTS, TEXTS, SleepingSession
from synthetic_load import load_run
from tiny_datasets import tiny_dataset

from bench.execution import measure_job as jobs
from bench.plan.tiers import Tier
from bench.results.speed_records import MachineLimits, Work
from bench.speed import limits
from bench.speed.figures import stages_of, summarise_runs
from bench.speed.limits import SIZE, machine_limits, measure_limits
from bench.speed.loadgen import run_scenario
from bench.speed.points import MORE_QUERIES, most_late
from bench.types import StageClock

SHORT = Tier(name="short", min_duration_s=0.1, min_queries=10, repeats=1, cell_limit_s=60, fit_limit_s=60)


def test_a_square_product_takes_two_n_cubed_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of n x n results is n products and n sums; of two libraries the faster counts."""
    times = {"slow": 0.5, "fast": 0.25}

    def products(precision: str) -> list[tuple[str, Any]]:
        return [(name, name) for name in times]

    monkeypatch.setattr(limits, "_cpu_products", products)
    monkeypatch.setattr(limits, "_copy", lambda device: "copy")
    monkeypatch.setattr(limits, "_best_s", lambda call: times.get(call, 0.125))
    found = measure_limits("cpu", 1, "fp32")
    assert found.matmul_library == "fast"
    assert found.matmul_flops_per_s == 2 * SIZE**3 / 0.25
    assert found.memory_bytes_per_s == 2 * limits.COPIED_BYTES / 0.125  # read and written


def test_a_limit_that_was_exceeded_is_measured_again_and_the_higher_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = iter((100.0, 80.0, 150.0))

    def measured(device: str, threads: int, precision: str) -> MachineLimits:
        return limits_of(next(rates))

    monkeypatch.setattr(limits, "measure_limits", measured)
    asked = [
        machine_limits("cpu", 1, "fp32", tmp_path, reached).matmul_flops_per_s for reached in (0, 90, 100, 101, 120)
    ]
    assert asked == [100.0, 100.0, 100.0, 100.0, 150.0]


def limits_of(flops_per_s: float) -> MachineLimits:
    return MachineLimits(
        device="cpu",
        threads=1,
        precision="fp32",
        matmul_flops_per_s=flops_per_s,
        matmul_library="torch",
        memory_bytes_per_s=1000.0,
    )


def test_shares_of_the_limits_are_what_was_done_over_what_could_be() -> None:
    run = load_run("single", 50.0).model_copy(update={"passes_per_s": 25.0})
    shared = jobs._with_shares(run, Work(flops_per_text=8.0, weight_bytes=4, limits=limits_of(1000.0)))
    assert shared.matmul_share == 50 * 8 / 1000
    assert shared.memory_share == 25 * 4 / 1000


@pytest.mark.parametrize("queries", [64, 130, 662, 2000, 6636])
@pytest.mark.parametrize("percentile", [90.0, 95.0, 99.0])
def test_a_confirmation_may_have_as_many_late_answers_as_early_stopping_bears(queries: int, percentile: float) -> None:
    """A true share of 1 - percentile would show so few in less than 1 % of runs; not so one more, unless it is 0."""
    n, share = int(np.ceil(queries * MORE_QUERIES)), 1 - percentile / 100
    late = most_late("confirm", queries, percentile)
    assert late == 0 or stats.binom.cdf(late, n, share) < 0.01
    assert stats.binom.cdf(late + 1, n, share) >= 0.01


def test_a_probe_may_have_the_percentile_s_share_of_late_answers() -> None:
    assert [most_late("search", count, 99.0) for count in (50, 100, 200, 1000)] == [1, 2, 3, 11]
    assert most_late("search", 100, 90.0) == 11


def test_warm_up_texts_are_not_the_timed_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session, data, given = SleepingSession(0.001), tiny_dataset(), {}
    run_scenario(session, "single", TEXTS, OTHER_TEXTS, SHORT, 0, tmp_path, lambda *_: None)
    texts = [text for call in session.calls for text in call]
    first_timed = next(place for place, text in enumerate(texts) if text in TEXTS)
    assert first_timed > 0
    assert set(texts[:first_timed]) <= set(OTHER_TEXTS)
    assert set(texts[first_timed:]) <= set(TEXTS)

    def recorded(**options: Any) -> tuple[Any, np.ndarray]:
        given.update(options)
        return load_run("single", 1.0), np.empty(0, np.int64)

    monkeypatch.setattr(jobs, "run_scenario", recorded)
    task: Any = SimpleNamespace(loadgen_folder=tmp_path, latencies_name="name", tier=SHORT, repeat=0)
    jobs._run(task, "single", session, data.test, data.train, lambda *_: None)  # type: ignore[arg-type]
    assert list(given["texts"]) == list(data.test.texts)
    assert set(given["warmup_texts"]) <= set(data.train.texts)


def test_padding_is_the_share_of_computed_tokens_that_are_no_text() -> None:
    session = SleepingSession(0.0)
    session.clock = StageClock()
    assert stages_of(session).padding_share is None
    session.predict(["one text"] * 5)
    assert stages_of(session).padding_share == 1 - 15 / 20


@pytest.mark.parametrize(("rates", "middle"), [((3.0, 1.0), 1.0), ((4.0, 1.0, 3.0, 2.0), 2.0), ((9.0, 1.0, 5.0), 5.0)])
def test_the_lower_of_two_middle_runs_stands_for_all(rates: tuple[float, ...], middle: float) -> None:
    summary = summarise_runs("single", "quick", [load_run("single", rate) for rate in rates])
    assert (summary.rate_rps, summary.rate_low_rps, summary.rate_high_rps) == (middle, min(rates), max(rates))
