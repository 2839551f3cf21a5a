"""Bounds of paired differences: Tango's interval for accuracy, one that covers as often as it says for macro F1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize
from sklearn.metrics import f1_score

from bench.quality.differences import (
    ItemValues,
    accuracy_difference,
    accuracy_values,
    item_values,
    items_to_exclude,
    macro_f1_difference,
    macro_f1_values,
    score_interval,
)

Z95 = 1.959963984540054


def tango(lost: int, won: int, n: int) -> tuple[float, float]:
    """The closed form of Tango 1998, equation 6, solved for both bounds."""

    def excess(delta: float) -> float:
        linear = -won - lost + (2 * n - won + lost) * delta
        constant = -lost * delta * (1 - delta)
        only_old = (np.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
        return (won - lost - n * delta) ** 2 - Z95**2 * n * (2 * only_old + delta * (1 - delta))

    value = (won - lost) / n
    low = -1.0 if value <= -1 else optimize.brentq(excess, -1 + 1e-12, value - 1e-9)
    high = 1.0 if value >= 1 else optimize.brentq(excess, value + 1e-9, 1 - 1e-12)
    return low, high


@pytest.mark.parametrize(
    ("lost", "won", "n"),
    [(0, 0, 10), (5, 0, 5), (1, 0, 2000), (0, 3, 50), (65, 41, 7600), (12, 2, 100), (5, 5, 10), (3, 9, 32)],
)
def test_the_interval_of_accuracy_is_tango_s(lost: int, won: int, n: int) -> None:
    interval = accuracy_difference(lost, won, n)
    assert interval.value == pytest.approx((won - lost) / n)
    assert (interval.low, interval.high) == pytest.approx(tango(lost, won, n), abs=1e-6)


def test_no_changed_answer_of_ten_says_no_more_than_a_loss_below_28_points() -> None:
    assert accuracy_difference(0, 0, 10).low == pytest.approx(-0.2775, abs=1e-4)
    assert accuracy_difference(0, 0, 764).low < -0.005 < accuracy_difference(0, 0, 765).low


@given(lost=st.integers(0, 300), won=st.integers(0, 300), rest=st.integers(1, 2000))
def test_the_interval_holds_its_value_and_turns_around_with_its_sides(lost: int, won: int, rest: int) -> None:
    n = lost + won + rest
    one, other = accuracy_difference(lost, won, n), accuracy_difference(won, lost, n)
    assert -1 <= one.low <= one.value <= one.high <= 1
    assert one.low == pytest.approx(-other.high, abs=1e-7)
    wider = accuracy_difference(lost, won, n, confidence=0.999)
    assert wider.low <= one.low
    assert one.high <= wider.high


@given(lost=st.integers(0, 40), won=st.integers(0, 40), value=st.sampled_from([-0.02, -0.005, 0.0, 0.01]))
def test_so_many_items_exclude_a_value_and_fewer_do_not(lost: int, won: int, value: float) -> None:
    n = 1000
    needed = items_to_exclude(accuracy_values(lost, won, n), value)
    if won - lost == value * n:
        assert needed is None
        return
    assert needed
    for size, excluded in ((1.001 * needed, True), (0.999 * (needed - 1), False)):
        interval = accuracy_difference(lost * size / n, won * size / n, size) if size else None
        assert interval is None or (interval.low > value or interval.high < value) == excluded


def test_a_mean_that_is_the_value_but_for_rounding_asks_for_no_items() -> None:
    values = item_values(np.array([0.1, 0.2, -0.3, 0.0]), -1.0, 1.0)
    assert 0 < abs(values.mean) < 1e-12 or values.mean == 0
    assert items_to_exclude(values, 0.0) is None
    nearly = ItemValues(np.array([-0.3, 0.1, 0.2 + 1e-16]), np.ones(3), -1.0, 1.0)
    assert score_interval(nearly).low < nearly.mean < score_interval(nearly).high


# ---------------------------------------------------------------- macro F1


@given(seed=st.integers(0, 2**20), k=st.integers(2, 12), n=st.integers(1, 90))
def test_the_difference_of_macro_f1_is_scikit_learn_s(seed: int, k: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    labels, old = rng.integers(0, k, n), rng.integers(-1, k, n)
    new = np.where(rng.random(n) < 0.3, rng.integers(-1, k, n), old)
    seen = np.unique(labels)
    scores = [f1_score(labels, each, labels=seen, average="macro", zero_division=0) for each in (old, new)]
    interval = macro_f1_difference(labels, old, new, k)
    assert interval.value == pytest.approx(scores[1] - scores[0], abs=1e-9)
    assert -1 <= interval.low <= interval.value <= interval.high <= 1


def test_seeds_count_by_their_mean() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 500)
    old = [np.where(rng.random(500) < 0.2, rng.integers(0, 4, 500), labels) for _ in range(3)]
    new = [np.where(rng.random(500) < 0.3, rng.integers(0, 4, 500), labels) for _ in range(3)]
    one_by_one = [macro_f1_difference(labels, *pair, 4) for pair in zip(old, new, strict=True)]
    together = score_interval(macro_f1_values(labels, old, new, 4))
    assert together.value == pytest.approx(np.mean([each.value for each in one_by_one]))
    assert together.high - together.low < min(each.high - each.low for each in one_by_one)


def drawn(k: int, zipf: bool, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels and the answers of two equally good classifiers that differ on a tenth of the texts."""
    prior = 1 / np.arange(1, k + 1) if zipf else np.ones(k)
    labels = rng.choice(k, n, p=prior / prior.sum())
    shared, own = (np.where(rng.random(n) < 0.8, labels, rng.integers(0, k, n)) for _ in range(2))
    own_too = np.where(rng.random(n) < 0.8, labels, rng.integers(0, k, n))
    changes = rng.random((2, n)) < 0.15
    return labels, np.where(changes[0], own, shared), np.where(changes[1], own_too, shared)


@pytest.mark.parametrize(
    ("k", "zipf", "n"), [(2, False, 30), (4, False, 200), (20, False, 30), (20, True, 200), (20, True, 2000)]
)
def test_the_interval_of_macro_f1_covers_no_difference_in_at_least_93_percent(k: int, zipf: bool, n: int) -> None:
    """The plain bootstrap covers 84 % at 20 classes and n = 30."""
    rng = np.random.default_rng(5)
    intervals = [macro_f1_difference(*drawn(k, zipf, n, rng), k) for _ in range(250)]
    assert np.mean([each.low <= 0 <= each.high for each in intervals]) >= 0.93


def test_a_class_that_lost_its_only_texts_is_seen() -> None:
    labels = np.repeat(np.arange(4), [200, 200, 200, 20])
    new = np.where(labels == 3, 0, labels)
    interval = macro_f1_difference(labels, labels, new, 4)
    assert interval.value < -0.25
    assert interval.high < -0.1
