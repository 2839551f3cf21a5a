"""Thresholds, risk and coverage, temperature: counted by hand, and by their definitions on random answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from bench.quality.selective import (
    area_under_risk_coverage,
    automate_differently,
    automation,
    calibration,
    class_automation,
    fit_temperature,
    halves,
    least_confidence,
    risk_coverage,
    texts_to_choose,
    with_temperature,
)
from bench.results.records import Answers
from bench.types import Prediction


def answers(confidence: list[float] | np.ndarray, right: list[bool] | np.ndarray) -> Answers:
    """Two classes, all answered 0 with the given confidences; an answer of -inf names no class."""
    given_confidence, truth = np.asarray(confidence, float), np.asarray(right, bool)
    valid = np.isfinite(given_confidence)
    shown = np.where(valid, given_confidence, 0.5)
    n = len(shown)
    prediction = Prediction(
        np.stack([shown, 1 - shown], axis=1), np.where(valid, 0, -1), np.ones(n, np.int32), np.zeros(n, bool)
    )
    return Answers(np.arange(n), np.where(truth, 0, 1), prediction)


def drawn(seed: int, n: int, power: float = 1.0) -> Answers:
    random = np.random.default_rng(seed)
    confidence = 0.5 + 0.5 * random.beta(6, 0.6, n)
    return answers(confidence, random.random(n) < confidence**power)


def test_the_lowest_threshold_counts_one_error_more_than_was_seen() -> None:
    confidence = np.linspace(0.99, 0.90, 10)
    right = np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 0], bool)
    # 9 right: (0 + 1) / (9 + 1) = 10 %; with the tenth (1 + 1) / (10 + 1) = 18 %
    assert least_confidence(confidence, right, 0.90) == pytest.approx(0.91)
    assert least_confidence(confidence, right, 0.91) is None
    assert least_confidence(confidence, right, 0.80) == pytest.approx(0.90)


def test_equal_confidences_are_automated_together_or_not_at_all() -> None:
    confidence = np.array([0.9] * 9 + [0.9])
    right = np.array([True] * 9 + [False])
    assert least_confidence(confidence, right, 0.90) is None
    assert least_confidence(confidence, right, 0.80) == 0.9


def test_99_per_cent_takes_99_answers_without_an_error() -> None:
    assert (texts_to_choose(0.95), texts_to_choose(0.98), texts_to_choose(0.99)) == (19, 49, 99)
    assert least_confidence(np.full(99, 0.9), np.ones(99, bool), 0.99) == 0.9
    assert least_confidence(np.full(98, 0.9), np.ones(98, bool), 0.99) is None


def test_coverage_and_accuracy_are_those_of_test() -> None:
    validation = answers([0.9] * 19 + [0.6] * 5, [True] * 19 + [False] * 5)
    test = answers([0.95] * 6 + [0.7] * 3 + [-np.inf], [True] * 5 + [False] + [True] * 4)
    found = automation(validation, test, 0.95)
    assert found.threshold == 0.9
    assert (found.coverage.value, found.n, found.chosen_on) == (0.6, 10, 24)
    assert found.accuracy is not None
    assert found.accuracy.value == pytest.approx(5 / 6)
    assert found.fate == "likely missed"
    assert found.on_validation


def test_nothing_is_automated_where_no_threshold_keeps_the_target() -> None:
    found = automation(answers([0.9] * 30, [False] * 30), answers([0.99], [True]), 0.95)
    assert (found.threshold, found.coverage.value, found.accuracy, found.fate) == (None, 0.0, None, None)


def test_without_validation_one_half_of_test_chooses_and_the_other_is_measured() -> None:
    test = drawn(1, 401)
    found = automation(None, test, 0.95)
    assert (found.on_validation, found.chosen_on, found.n) == (False, 200, 201)
    first, second = halves(test)
    assert set(first.ids) | set(second.ids) == set(range(401))
    assert found == automation(None, Answers(test.ids, test.labels, test.prediction), 0.95)
    mixed = np.random.default_rng(0).permutation(401)
    prediction = test.prediction
    moved = Prediction(prediction.probabilities[mixed], prediction.labels[mixed], mixed, mixed > 0)
    assert automation(None, Answers(test.ids[mixed], test.labels[mixed], moved), 0.95) == found


@given(seed=st.integers(0, 2**16), n=st.integers(1, 60), target=st.sampled_from([0.5, 0.8, 0.95]))
def test_the_threshold_is_the_lowest_that_keeps_the_target(seed: int, n: int, target: float) -> None:
    random = np.random.default_rng(seed)
    confidence, right = random.choice([0.5, 0.6, 0.7, 0.8, 0.9], n), random.random(n) < 0.8
    kept = [
        each
        for each in np.unique(confidence)
        if ((~right[confidence >= each]).sum() + 1) / ((confidence >= each).sum() + 1) <= 1 - target + 1e-9
    ]
    assert least_confidence(confidence, right, target) == (min(kept) if kept else None)


def test_the_area_is_the_mean_risk_over_all_coverages() -> None:
    # risks 0, 1/2, 1/3, 2/4
    found = area_under_risk_coverage(answers([0.9, 0.8, 0.7, 0.6], [True, False, True, False]))
    assert found.value == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert found.items_needed == 100  # 50 errors are needed, half of the texts are errors


@given(seed=st.integers(0, 2**16), n=st.integers(1, 40))
def test_the_area_of_equal_confidences_is_the_mean_over_their_orders(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    confidence, right = random.choice([0.6, 0.9], n), random.random(n) < 0.7
    found = area_under_risk_coverage(answers(confidence, right)).value
    orders = []
    for _ in range(300):
        order = np.lexsort((random.random(n), -confidence))
        orders.append((np.cumsum(~right[order]) / np.arange(1, n + 1)).mean())
    assert found == pytest.approx(np.mean(orders), abs=5 * np.std(orders) / np.sqrt(300) + 1e-9)


def test_the_areas_interval_is_as_wide_as_its_spread() -> None:
    found = [area_under_risk_coverage(drawn(seed, 3000)) for seed in range(200)]
    spread = float(np.std([each.value for each in found]))
    width = float(np.mean([(each.high - each.low) / 2 / 1.96 for each in found]))
    assert width == pytest.approx(spread, rel=0.15)


def test_the_curve_ends_in_the_accuracy_of_all_texts() -> None:
    test = drawn(3, 500)
    curve = risk_coverage(test)
    assert [share for share, _ in curve] == pytest.approx([0.05 * step for step in range(1, 21)])
    assert curve[-1][1].value == pytest.approx((test.prediction.labels == test.labels).mean())
    assert len(risk_coverage(answers([0.9] * 40, [True] * 40))) == 1  # equal confidences: all or nothing


def test_each_class_has_its_own_threshold() -> None:
    probabilities = np.array([[0.9, 0.1]] * 20 + [[0.2, 0.8]] * 20)
    labels = np.array([0] * 20 + [1] * 10 + [0] * 10)
    prediction = Prediction(probabilities, probabilities.argmax(axis=1), np.ones(40, np.int32), np.zeros(40, bool))
    stored = Answers(np.arange(40), labels, prediction)
    first, second = class_automation(stored, stored, 0.95, 2)
    assert first is not None
    assert second is not None
    assert (first.threshold, first.coverage.value, first.n) == (0.9, 1.0, 20)
    assert (second.threshold, second.coverage.value) == (None, 0.0)


@pytest.mark.parametrize("truth", [0.5, 2.0])
def test_a_temperature_is_found_again(truth: float) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(20_000, 3)) * 2
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (random.random((20_000, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    wrong = with_temperature(chances, 1 / truth)
    prediction = Prediction(wrong, wrong.argmax(axis=1), np.ones(20_000, np.int32), np.zeros(20_000, bool))
    stored = Answers(np.arange(20_000), labels, prediction)
    assert fit_temperature(stored) == pytest.approx(truth, rel=0.05)
    found = calibration(stored, stored)
    assert found is not None
    assert found.ece_after < 0.02 < found.ece_before
    assert found.loss_after < found.loss_before


def test_no_temperature_is_the_best_where_all_answers_are_right() -> None:
    assert fit_temperature(answers([0.9, 0.8, 0.7], [True] * 3)) is None
    assert fit_temperature(answers([-np.inf], [True])) is None


def test_whether_two_rows_automate_equally_much_is_mcnemars_test_of_the_texts_of_one_alone() -> None:
    first, second = answers(np.linspace(0, 1, 20), [True] * 20), answers(np.linspace(1, 0, 20), [True] * 20)
    p = automate_differently(first, second, (0.5, 0.9))  # 10 texts of the first alone, 2 of the second
    assert p == pytest.approx(binomtest(2, 12).pvalue)
    assert automate_differently(first, first, (0.5, 0.5)) == 1.0
