"""Quality from predictions alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from answers import answers_of, noisy_answers
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, precision_recall_fscore_support

from bench.errors import DataError
from bench.quality.scores import macro_scores, measure_quality


@given(seed=st.integers(0, 2**16), n=st.integers(1, 300), k=st.integers(2, 6))
def test_figures_equal_scikit_learn(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, k, n)
    answers = noisy_answers(rng, labels, k, accuracy=0.7)
    predicted = answers.prediction.labels
    quality = measure_quality(answers, [str(c) for c in range(k)])
    assert quality.n == n
    assert quality.accuracy.value == pytest.approx(accuracy_score(labels, predicted))
    assert quality.macro_f1.value == pytest.approx(
        f1_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0)
    )
    assert macro_scores(labels, predicted, k).f1 == pytest.approx(quality.macro_f1.value)
    assert np.array_equal(quality.confusion, confusion_matrix(labels, predicted, labels=range(k)))
    each = precision_recall_fscore_support(labels, predicted, labels=range(k), zero_division=0)
    for row, score in enumerate(quality.per_class):
        ours = (score.precision, score.recall, score.f1, score.support)
        assert ours == pytest.approx(tuple(column[row] for column in each))
    for interval in (quality.accuracy, quality.macro_f1, quality.macro_precision, quality.macro_recall):
        assert 0 <= interval.low <= interval.high <= 1


def test_invalid_answers_count_as_wrong() -> None:
    labels = np.array([0, 1, 0, 1])
    quality = measure_quality(answers_of(labels, np.array([0, 1, -1, -1]), 2), ["a", "b"])
    assert quality.accuracy.value == 0.5
    assert quality.valid_share == 0.5
    assert quality.confusion == ((1, 0), (0, 1))
    assert quality.per_class[0].recall == 0.5
    assert quality.per_class[0].precision == 1.0


def test_intervals_narrow_with_more_items() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for n in (100, 1000, 10_000):
        interval = measure_quality(noisy_answers(rng, rng.integers(0, 4, n), 4, 0.9), list("abcd")).macro_f1
        assert interval.low < interval.value < interval.high
        widths.append(interval.high - interval.low)
    assert widths == sorted(widths, reverse=True)
    assert widths[2] == pytest.approx(widths[0] / 10, rel=0.5)


def test_the_same_answers_give_the_same_figures() -> None:
    rng = np.random.default_rng(3)
    answers = noisy_answers(rng, rng.integers(0, 3, 500), 3, 0.8)
    assert measure_quality(answers, list("abc")) == measure_quality(answers, list("abc"))


def test_no_answers_are_an_error() -> None:
    nothing = answers_of(np.array([], dtype=np.int64), np.array([], dtype=np.int64), 2)
    with pytest.raises(DataError, match="no test item was answered"):
        measure_quality(nothing, ["a", "b"])


def test_classes_without_a_text_are_in_no_average() -> None:
    """A faultless classifier of three classes, one of which test lacks, had macro F1 .667."""
    labels = np.array([0, 1] * 30)
    quality = measure_quality(answers_of(labels, labels, 3), list("abc"))
    assert quality.accuracy.value == quality.macro_f1.value == 1.0
    assert quality.macro_precision.value == quality.macro_recall.value == 1.0
    assert quality.untested_classes == 1
    assert f1_score(labels, labels, average="macro") == 1.0


def test_an_answer_of_a_class_without_a_text_counts_against_the_text_s_own_class() -> None:
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1])
    quality = measure_quality(answers_of(labels, predicted, 3), list("abc"))
    assert quality.macro_f1.value == pytest.approx((2 / 3 + 1) / 2)


def test_invalid_answers_are_not_confident_ones() -> None:
    """ECE was 0.000 at accuracy 0: equal probabilities are as confident as a guess is right."""
    labels = np.array([0, 1] * 10)
    assert measure_quality(answers_of(labels, np.full(20, -1), 2), ["a", "b"]).ece is None
    half = np.where(np.arange(20) < 10, labels, -1)
    assert measure_quality(answers_of(labels, half, 2), ["a", "b"]).ece == pytest.approx(0.1)


def test_tokens_are_the_mean_and_not_the_median() -> None:
    labels = np.zeros(4, dtype=np.int64)
    given = answers_of(labels, labels, 2)
    prediction = replace(given.prediction, token_counts=np.array([2, 2, 2, 30]), truncated=np.array([0, 0, 0, 1], bool))
    quality = measure_quality(replace(given, prediction=prediction), ["a", "b"])
    assert quality.tokens_mean == 9.0
    assert quality.truncated_share == 0.25
