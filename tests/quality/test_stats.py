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
from statsmodels.stats.weightstats import DescrStatsW

from bench.gates.rules import judge_turns, paired_difference_interval, ratio_interval
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


@given(lost=st.integers(0, 300), won=st.integers(0, 300), both=st.integers(2, 9000))
def test_the_paired_interval_equals_statsmodels(lost: int, won: int, both: int) -> None:
    """The z interval of the mean of -1, 0 and 1; statsmodels divides the variance by n - 1, the gate by n."""
    n = lost + won + both
    theirs = DescrStatsW([-1.0, 1.0, 0.0], weights=[lost, won, both])
    ours = paired_difference_interval(lost, won, n)
    half = (theirs.zconfint_mean()[1] - theirs.mean) * np.sqrt((n - 1) / n)
    assert ours.value == pytest.approx(theirs.mean, abs=TOLERANCE)
    assert ours.low == pytest.approx(max(-1.0, theirs.mean - half), abs=TOLERANCE)
    assert ours.high == pytest.approx(min(1.0, theirs.mean + half), abs=TOLERANCE)


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


@given(seed=st.integers(0, 2**16), half=st.integers(2, 30))
def test_the_speed_gate_tests_as_scipy_does(seed: int, half: int) -> None:
    base, again, head = np.random.default_rng(seed).lognormal(sigma=0.05, size=(3, 2 * half + 1))
    judgement = judge_turns("single", base, again, head)
    pooled = np.concatenate([base, again])
    assert judgement.p == pytest.approx(
        scipy_stats.mannwhitneyu(head, pooled, alternative="two-sided").pvalue, abs=TOLERANCE
    )
    quartiles = [scipy_stats.scoreatpercentile(seconds, 25, interpolation_method="lower") for seconds in (head, pooled)]
    assert judgement.slowdown.value == pytest.approx(quartiles[0] / quartiles[1] - 1, abs=TOLERANCE)


def test_the_interval_of_a_ratio_is_scipys_bootstrap() -> None:
    rng = np.random.default_rng(5)
    seconds, reference = rng.lognormal(sigma=0.05, size=(2, 60))

    def quartile(seconds: np.ndarray, axis: int) -> np.ndarray:
        return np.quantile(seconds, 0.25, axis=axis, method="lower")

    def ratio(seconds: np.ndarray, reference: np.ndarray, axis: int) -> np.ndarray:
        return quartile(seconds, axis) / quartile(reference, axis) - 1

    ours = ratio_interval(seconds, reference)
    theirs = scipy_stats.bootstrap(
        (seconds, reference), ratio, paired=True, method="percentile", n_resamples=20_000, rng=6
    ).confidence_interval
    assert ours.value == pytest.approx(ratio(seconds, reference, 0), abs=TOLERANCE)
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
