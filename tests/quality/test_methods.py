"""Methods are compared with both spreads, of their seeds and of the texts."""

from __future__ import annotations

import numpy as np
import pytest
from answers import answers_of, noisy_answers
from scipy import stats
from sklearn.metrics import f1_score

from bench.quality.differences import macro_f1_values
from bench.quality.methods import compare_methods
from bench.results.records import Answers


def seeds(random: np.random.Generator, truth: np.ndarray, accuracies: list[float]) -> list[Answers]:
    return [noisy_answers(random, truth, 4, accuracy) for accuracy in accuracies]


def test_equal_methods_whose_seeds_differ_are_not_told_apart() -> None:
    """One point between seeds made "A > B" of equal methods in 38 % of one-seed tables."""
    random = np.random.default_rng(0)
    claims = 0
    for _ in range(150):
        truth = random.integers(0, 4, 2000)
        drawn = random.normal(0.9, 0.01, (2, 3))
        [comparison] = compare_methods({name: seeds(random, truth, drawn[at]) for at, name in enumerate("AB")}, 4)
        claims += comparison.apart
    assert claims / 150 <= 0.08


def test_a_better_method_is_found() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 4, 2000)
    methods = {"worse": seeds(random, truth, [0.80, 0.81, 0.80]), "better": seeds(random, truth, [0.92, 0.91, 0.92])}
    [comparison] = compare_methods(methods, 4)
    assert (comparison.ahead, comparison.behind) == ("better", "worse")
    assert comparison.apart
    assert comparison.difference.low < comparison.difference.value < comparison.difference.high
    assert comparison.n == 2000


def test_the_spread_of_the_seeds_is_in_the_interval() -> None:
    random = np.random.default_rng(2)
    truth = random.integers(0, 4, 4000)
    steady = {"A": seeds(random, truth, [0.9] * 3), "B": seeds(random, truth, [0.9] * 3)}
    shaky = {"A": seeds(random, truth, [0.86, 0.9, 0.94]), "B": seeds(random, truth, [0.85, 0.9, 0.95])}
    widths = []
    for methods in (steady, shaky):
        [comparison] = compare_methods(methods, 4)
        widths.append(comparison.difference.high - comparison.difference.low)
    assert widths[1] > 3 * widths[0]


@pytest.mark.parametrize(("texts", "apart"), [(5, False), (12, True)])
def test_few_texts_that_all_agree_are_not_certain(texts: int, apart: bool) -> None:
    """Seeds that do not differ, all texts right in one and wrong in the other: as sure as a sign test, and no surer."""
    truth = np.arange(texts) % 2
    methods = {"A": [answers_of(truth, truth, 2)] * 3, "B": [answers_of(truth, 1 - truth, 2)] * 3}
    [comparison] = compare_methods(methods, 2)
    assert comparison.p >= 2.0 ** (1 - texts)
    assert comparison.apart is apart
    found = comparison.difference
    assert found.items_needed == 8 if texts < 8 else 0 < found.low < 0.9
    assert -1.0 <= found.low <= found.value <= found.high <= 1.0
    assert comparison.p == pytest.approx({5: 0.0625, 12: 0.000532}[texts], rel=0.001)


def test_the_p_values_are_adjusted_over_the_pairs_of_methods() -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 4, 1000)
    methods = {name: seeds(random, truth, [0.9, 0.9, 0.9]) for name in "ABC"}
    comparisons = compare_methods(methods, 4)
    assert len(comparisons) == 3
    lowest = min(comparisons, key=lambda each: each.p)
    assert lowest.p_adjusted == pytest.approx(min(1.0, 3 * lowest.p))


def test_methods_without_common_texts_say_nothing() -> None:
    truth = np.zeros(10, dtype=np.int64)
    first, second = (answers_of(truth, truth, 2, ids=np.arange(start, start + 10)) for start in (0, 10))
    [comparison] = compare_methods({"A": [first, first], "B": [second, second]}, 2)
    assert comparison.n == 0
    assert not comparison.apart
    nothing = comparison.difference
    assert (nothing.value, nothing.low, nothing.high, comparison.p) == (0.0, -1.0, 1.0, 1.0)


def test_the_p_is_welchs_with_the_variance_of_the_texts_added() -> None:
    random = np.random.default_rng(7)
    truth = random.integers(0, 4, 600)
    methods = {"A": seeds(random, truth, [0.85, 0.87, 0.9]), "B": seeds(random, truth, [0.84, 0.86])}
    [comparison] = compare_methods(methods, 4)
    answers = {name: [each.prediction.labels for each in method] for name, method in methods.items()}
    scores = [[f1_score(truth, each, average="macro") for each in answers[name]] for name in "AB"]
    items = macro_f1_values(truth, answers["B"], answers["A"], 4)
    of_seeds = [np.var(each, ddof=1) / len(each) for each in scores]
    variance = float(items.counts @ items.values**2) / 600**2 + sum(of_seeds)
    freedom = variance**2 / (of_seeds[0] ** 2 / 2 + of_seeds[1] ** 2 / 1)
    away = abs(np.mean(scores[0]) - np.mean(scores[1])) / np.sqrt(variance)
    assert comparison.p == pytest.approx(2 * stats.t.sf(away, freedom), rel=1e-6)
    half = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    assert comparison.difference.high - comparison.difference.value == pytest.approx(half, rel=0.05)


def test_identical_seeds_of_identical_methods_are_no_difference() -> None:
    truth = np.arange(40) % 4
    same = [answers_of(truth, truth, 4)] * 3
    [comparison] = compare_methods({"A": same, "B": same}, 4)
    assert (comparison.difference.value, comparison.p) == (0.0, 1.0)
    assert -0.1 < comparison.difference.low <= 0 <= comparison.difference.high < 0.1
