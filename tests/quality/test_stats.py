"""The statistics against scipy, statsmodels and scikit-learn on random cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn.metrics import brier_score_loss, precision_recall_fscore_support
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from bench.gates.speed_rules import aligned_ranks, judge_turns, ratio_interval
from bench.quality.scores import confusion_matrix
from bench.quality.stats import (
    brier,
    class_scores,
    expected_calibration_error,
    holm,
    mcnemar,
    percentile_interval,
    wilson,
)

TOLERANCE = 1e-9


@given(n=st.integers(1, 50_000), share=st.floats(0, 1))
def test_wilson_equals_statsmodels(n: int, share: float) -> None:
    successes = round(n * share)
    ours = wilson(successes, n)
    low, high = proportion_confint(successes, n, method="wilson")
    assert ours.value == successes / n
    assert ours.low == pytest.approx(low, abs=TOLERANCE)
    assert ours.high == pytest.approx(high, abs=TOLERANCE)


@given(first=st.integers(0, 400), second=st.integers(0, 400))
def test_mcnemar_equals_statsmodels(first: int, second: int) -> None:
    if first + second == 0:
        assert mcnemar(first, second) == 1.0
        return
    theirs = statsmodels_mcnemar([[10, first], [second, 10]], exact=True).pvalue
    assert mcnemar(first, second) == pytest.approx(theirs, abs=TOLERANCE)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_equals_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist(), abs=TOLERANCE)


@given(seed=st.integers(0, 2**16), n=st.integers(1, 200), k=st.integers(2, 8))
def test_class_scores_equal_scikit_learn(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    labels, predicted = rng.integers(0, k, n), rng.integers(-1, k, n)
    ours = class_scores(confusion_matrix(labels, predicted, k))
    theirs = precision_recall_fscore_support(labels, predicted, labels=range(k), zero_division=0)
    for one, other in zip(ours, theirs[:3], strict=True):
        assert one.tolist() == pytest.approx(other.tolist(), abs=TOLERANCE)


@given(seed=st.integers(0, 2**16), n=st.integers(2, 500))
def test_the_percentile_interval_equals_scipy(seed: int, n: int) -> None:
    samples = np.random.default_rng(seed).normal(size=n)
    ours = percentile_interval(0.5, samples)
    assert [ours.low, ours.high] == pytest.approx(
        scipy_stats.scoreatpercentile(samples, [2.5, 97.5]).tolist(), abs=TOLERANCE
    )


@given(seed=st.integers(0, 2**16), n=st.integers(1, 300), k=st.integers(3, 8))
def test_brier_equals_scikit_learn(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities, labels = rng.dirichlet(np.ones(k), n), rng.integers(0, k, n)
    theirs = brier_score_loss(labels, probabilities, labels=range(k), scale_by_half=False)
    assert brier(probabilities, labels) == pytest.approx(theirs, abs=TOLERANCE)


@given(seed=st.integers(0, 2**16), n=st.integers(1, 300), k=st.integers(2, 8))
def test_the_calibration_error_equals_scipy_binning(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities, labels = rng.dirichlet(np.ones(k), n), rng.integers(0, k, n)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    binned = scipy_stats.binned_statistic(confidence, right - confidence, "sum", bins=15, range=(0, 1)).statistic
    ours = expected_calibration_error(probabilities, probabilities.argmax(axis=1), labels)
    assert ours == pytest.approx(np.abs(binned).sum() / n, abs=TOLERANCE)


def test_certain_answers_are_in_the_last_bin() -> None:
    """Confidence 1 belongs to the bin from 14/15 on: over- and underconfidence of one bin cancel out."""
    probabilities = np.array([[1.0, 0.0], [0.95, 0.05]])
    labels = np.array([1, 0])
    expected = abs((0 - 1.0) + (1 - 0.95)) / 2
    assert expected_calibration_error(probabilities, np.array([0, 0]), labels) == pytest.approx(expected)


@given(seed=st.integers(0, 2**16), turns=st.integers(30, 60))
def test_the_speed_gate_s_ranks_are_the_permutation_test_of_scipy(seed: int, turns: int) -> None:
    """Within each turn the head's place is exchanged with the base's two; the gate judges nothing before 30 turns."""
    seconds = np.random.default_rng(seed).lognormal(sigma=0.05, size=(turns, 3))
    seconds[:, 2] *= 1.02
    ranks = scipy_stats.rankdata(seconds / np.median(seconds, axis=1, keepdims=True)).reshape(seconds.shape)
    rng = np.random.default_rng(1)
    exchanged = rng.permuted(np.broadcast_to(ranks, (4000, turns, 3)), axis=2)[:, :, 2].sum(axis=1)
    away = abs(ranks[:, 2].sum() - ranks.mean(axis=1).sum())
    theirs = (abs(exchanged - ranks.mean(axis=1).sum()) >= away - 1e-9).mean()
    assert aligned_ranks(seconds) == pytest.approx(theirs, abs=0.06)


def test_the_speed_gate_measures_the_trimmed_mean_of_the_turns_ratios() -> None:
    base, again, head = np.random.default_rng(3).lognormal(sigma=0.05, size=(3, 40))
    judgement = judge_turns("single", base, again, head)
    centre = scipy_stats.trim_mean(np.log(head) - np.log(np.sqrt(base * again)), 0.25)
    assert judgement.slowdown.value == pytest.approx(np.exp(centre) - 1, abs=TOLERANCE)
    assert judgement.p == aligned_ranks(np.stack([base, again, head], axis=1))


def test_the_speed_gate_s_noise_and_rates_are_those_of_even_turns() -> None:
    base = np.tile([0.01, 0.01, 0.04], 10)
    judgement = judge_turns("single", base, base * 1.05, base * 1.3)
    assert judgement.noise == pytest.approx(0.05)
    assert judgement.slowdown.value == pytest.approx(1.3 / np.sqrt(1.05) - 1)
    assert judgement.base_rps == pytest.approx(1 / (0.02 * 1.025))
    assert judgement.head_rps == pytest.approx(1 / 0.026)


def test_the_interval_of_a_ratio_is_scipys_bootstrap() -> None:
    ratios = np.random.default_rng(5).normal(0.1, 0.05, size=60)

    def change(ratios: np.ndarray, axis: int) -> np.ndarray:
        return np.expm1(scipy_stats.trim_mean(ratios, 0.25, axis=axis))

    ours = ratio_interval(ratios)
    theirs = scipy_stats.bootstrap(
        (ratios,), change, method="percentile", n_resamples=20_000, rng=6
    ).confidence_interval
    assert ours.value == pytest.approx(change(ratios, 0), abs=TOLERANCE)
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=0.004)


@given(seed=st.integers(0, 2**16))
def test_percentile_interval_holds_95_percent(seed: int) -> None:
    samples = np.random.default_rng(seed).normal(size=2000)
    interval = percentile_interval(0.0, samples)
    inside = ((samples >= interval.low) & (samples <= interval.high)).mean()
    assert inside == pytest.approx(0.95, abs=0.002)


def test_calibration_of_the_perfect_and_the_boastful() -> None:
    labels = np.array([0, 0, 0, 1])
    calibrated = np.tile([0.75, 0.25], (4, 1))
    boastful = np.tile([1.0, 0.0], (4, 1))
    assert expected_calibration_error(calibrated, np.zeros(4, int), labels) == pytest.approx(0.0)
    assert expected_calibration_error(boastful, np.zeros(4, int), labels) == pytest.approx(0.25)
    assert brier(boastful, labels) == pytest.approx(0.5)
    assert brier(np.eye(2)[labels], labels) == 0.0
