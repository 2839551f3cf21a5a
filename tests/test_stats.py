"""The statistics against scipy, statsmodels and scikit-learn on random cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from bench.quality import confusion_matrix
from bench.stats import (
    brier,
    expected_calibration_error,
    holm,
    macro_scores,
    mcnemar,
    percentile_interval,
    resample,
    smallest_detectable_difference,
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
def test_macro_scores_equal_scikit_learn(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    labels, predicted = rng.integers(0, k, n), rng.integers(-1, k, n)
    ours = macro_scores(confusion_matrix(labels, predicted, k))
    theirs = precision_recall_fscore_support(labels, predicted, labels=range(k), average="macro", zero_division=0)
    assert [float(score) for score in ours] == pytest.approx(list(theirs[:3]), abs=TOLERANCE)


def test_resampling_counts_is_resampling_items() -> None:
    """Mean and spread of a share over multinomial draws are those of drawing the items one by one."""
    counts = np.array([150, 50])
    shares = resample(counts, seed=1, resamples=20_000)[:, 0] / 200
    rng = np.random.default_rng(2)
    items = np.repeat([1, 0], counts)
    one_by_one = np.array([rng.choice(items, 200).mean() for _ in range(5_000)])
    assert shares.mean() == pytest.approx(one_by_one.mean(), abs=0.002)
    assert shares.std() == pytest.approx(one_by_one.std(), rel=0.05)


def test_resampling_is_seeded() -> None:
    counts = np.array([3, 4, 5])
    assert np.array_equal(resample(counts, 7), resample(counts, 7))
    assert not np.array_equal(resample(counts, 7), resample(counts, 8))


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
    assert expected_calibration_error(calibrated, labels) == pytest.approx(0.0)
    assert expected_calibration_error(boastful, labels) == pytest.approx(0.25)
    assert brier(boastful, labels) == pytest.approx(0.5)
    assert brier(np.eye(2)[labels], labels) == 0.0


def test_the_smallest_difference_is_found_with_80_percent_power() -> None:
    """At the stated difference, McNemar's test is significant in about 80 % of simulated comparisons."""
    n, discordant_share = 7600, 0.02
    difference = smallest_detectable_difference(discordant_share, n)
    rng = np.random.default_rng(0)
    discordant = rng.binomial(n, discordant_share, 1000)
    lost = rng.binomial(discordant, 0.5 + difference / discordant_share / 2)
    found = np.mean([mcnemar(int(a), int(d - a)) < 0.05 for a, d in zip(lost, discordant, strict=True)])
    assert 0.7 < found < 0.88
