"""The paired randomisation test of macro F1: exact where it can be counted, right about chance, sharp in the tail."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from bench.quality.randomisation import Paired, randomisation_test


def macro_f1(truth: np.ndarray, answers: np.ndarray) -> float:
    def f1(label: int) -> float:
        right = ((truth == label) & (answers == label)).sum()
        return float(2 * right / ((truth == label).sum() + (answers == label).sum()))

    return float(np.mean([f1(label) for label in np.unique(truth)]))


def theirs(truth: np.ndarray, answers: np.ndarray) -> float:
    return float(f1_score(truth, answers, labels=np.unique(truth), average="macro", zero_division=0))


def noisy(random: np.random.Generator, truth: np.ndarray, classes: int, accuracy: float) -> np.ndarray:
    return np.where(random.random(len(truth)) < accuracy, truth, random.integers(0, classes, len(truth)))


def alike(seed: int, n: int, classes: int, accuracy: float, share: float) -> Paired:
    """Two classifiers, the second of which copies a share of the first's answers."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, n)
    first = noisy(random, truth, classes, accuracy)
    return Paired(truth, first, np.where(random.random(n) < share, first, noisy(random, truth, classes, accuracy)))


@given(seed=st.integers(0, 2**16), n=st.integers(2, 40), classes=st.integers(2, 5))
def test_the_difference_is_scikit_learns(seed: int, n: int, classes: int) -> None:
    paired = alike(seed, n, classes, 0.6, 0.3)
    expected = theirs(paired.truth, paired.first) - theirs(paired.truth, paired.second)
    assert randomisation_test(paired, classes, draws=50).difference == pytest.approx(expected, abs=1e-9)


def test_few_exchanges_are_counted_one_by_one() -> None:
    truth = np.array([0, 0, 1, 1, 2, 2, 0, 1, 2, 2])
    first = np.array([0, 0, 1, 1, 2, 2, 0, 1, -1, 2])
    second = np.array([0, 1, 1, 2, 2, 0, 0, 0, 2, 2])
    seen = abs(macro_f1(truth, first) - macro_f1(truth, second))
    moved = np.flatnonzero(first != second)
    reached = 0
    for exchange in product([False, True], repeat=len(moved)):
        one, other = first.copy(), second.copy()
        rows = moved[np.array(exchange)]
        one[rows], other[rows] = second[rows], first[rows]
        reached += abs(macro_f1(truth, one) - macro_f1(truth, other)) >= seen - 1e-12
    assert randomisation_test(Paired(truth, first, second), 3).p == pytest.approx(reached / 2 ** len(moved))


@pytest.mark.parametrize("seed", range(4))
def test_drawn_p_values_are_those_of_plain_exchanges(seed: int) -> None:
    paired = alike(seed, 150, 4, 0.7, 0.4)
    found = randomisation_test(paired, 4)
    random, moved = np.random.default_rng(1), paired.first != paired.second
    reached = []
    for _ in range(1500):
        exchanged = moved & (random.random(len(paired)) < 0.5)
        one, other = (
            np.where(exchanged, second, first)
            for first, second in ((paired.first, paired.second), (paired.second, paired.first))
        )
        reached.append(abs(macro_f1(paired.truth, one) - macro_f1(paired.truth, other)) >= abs(found.difference) - 1e-9)
    assert found.p == pytest.approx(np.mean(reached), abs=0.05)


def test_the_tail_is_as_sharp_as_the_sign_test() -> None:
    """One class wins all its discordant items: the difference has one order, and the p is the sign test's."""
    truth = np.repeat([0, 1], 100)
    second = truth.copy()
    second[:20], second[100:120] = 1, 0
    found = randomisation_test(Paired(truth, truth, second), 2)
    assert found.p == pytest.approx(2.0**-39, rel=0.01)
    assert found.difference == pytest.approx(0.2)


def test_equal_classifiers_are_told_apart_in_five_percent() -> None:
    p_values = [randomisation_test(alike(seed, 200, 5, 0.7, 0.5), 5, draws=500).p for seed in range(300)]
    assert np.mean(np.array(p_values) < 0.05) < 0.08


def test_the_direction_is_of_macro_f1_and_not_of_accuracy() -> None:
    """The first is right on more texts, the second is better on average over classes: the sign says so."""
    truth = np.repeat([0, 1], [950, 50])
    first, second = truth.copy(), truth.copy()
    first[950:985] = 0  # 35 of the small class
    second[:85] = 1  # 85 of the large one
    found = randomisation_test(Paired(truth, first, second), 2)
    assert (first == truth).sum() > (second == truth).sum()
    assert found.difference < 0
    assert randomisation_test(Paired(truth, second, first), 2).p == pytest.approx(found.p, rel=0.1)


def test_the_same_answers_and_no_items_are_no_difference() -> None:
    paired = alike(0, 50, 3, 0.7, 1.0)
    assert randomisation_test(paired, 3).p == 1.0
    none = np.array([], dtype=np.int64)
    assert randomisation_test(Paired(none, none, none), 3).p == 1.0


def test_a_class_without_a_text_changes_no_p() -> None:
    paired = alike(11, 400, 4, 0.8, 0.5)
    assert (paired.first != paired.second).sum() > 30
    with_all, with_more = (randomisation_test(paired, classes, draws=4000) for classes in (4, 6))
    assert with_more.difference == pytest.approx(with_all.difference)
    assert with_more.p == pytest.approx(with_all.p, rel=0.15)
