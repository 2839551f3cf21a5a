"""Cascades counted by hand: who answers what, what is handed on, rates and latencies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.quality.cascades import cascade, cascade_p99_ms, cascade_rate, choose_handover, handed_on
from bench.results.records import Answers
from bench.types import Prediction


def answers(confidence: list[float], predicted: list[int], labels: list[int], first_id: int = 0) -> Answers:
    n = len(labels)
    probabilities = np.stack([1 - np.array(confidence), np.array(confidence)], axis=1)
    rows = np.array(predicted) == 0
    probabilities[rows] = probabilities[rows, ::-1]
    prediction = Prediction(probabilities, np.array(predicted), np.ones(n, np.int32), np.zeros(n, bool))
    return Answers(np.arange(first_id, first_id + n), np.array(labels), prediction)


def test_the_second_answers_what_the_first_is_unsure_of() -> None:
    first = answers([0.9, 0.6, 0.8, 0.5], [0, 0, 1, 1], [0, 1, 1, 0])
    second = answers([0.7] * 4, [1, 1, 0, 0], [0, 1, 1, 0])
    together = cascade(first, second, 0.8)
    assert together.prediction.labels.tolist() == [0, 1, 1, 0]
    assert handed_on(first, 0.8) == 0.5
    assert together.prediction.probabilities[1].tolist() == pytest.approx([0.3, 0.7])


def test_only_texts_that_both_answered_count() -> None:
    first = answers([0.9, 0.6], [0, 0], [0, 1])
    second = answers([0.7, 0.7], [1, 1], [1, 1], first_id=1)
    assert cascade(first, second, 0.8).ids.tolist() == [1]
    assert choose_handover(first, answers([0.9], [1], [1], first_id=7), 2) is None


def test_the_least_share_that_is_as_good_as_the_second_is_handed_on() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 1000)
    hard = random.random(1000)
    wrong = hard > 0.8  # the first is wrong on the fifth of the texts it is least sure of
    first = answers((1 - hard / 2).tolist(), np.where(wrong, 1 - labels, labels).tolist(), labels.tolist())
    second = answers([0.9] * 1000, labels.tolist(), labels.tolist())
    found = choose_handover(first, second, 2)
    assert found is not None
    assert found.macro_f1 == 1.0
    assert found.share == pytest.approx(0.2, abs=0.051)
    assert found.share >= wrong.mean()


def test_the_rate_is_that_of_the_mean_time_a_text() -> None:
    assert cascade_rate(1000, 100, 0.2) == pytest.approx(1 / (0.001 + 0.2 * 0.01))
    assert cascade_rate(1000, 100, 0.0) == pytest.approx(1000)


@given(share=st.floats(0.05, 0.95), seed=st.integers(0, 1000))
def test_p99_is_that_of_drawn_latencies(share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    one, other = random.gamma(4, 1e6, 3000), random.gamma(4, 1e7, 3000)
    drawn = random.choice(one, 100_000) + (random.random(100_000) < share) * random.choice(other, 100_000)
    assert cascade_p99_ms(one, other, share) == pytest.approx(np.quantile(drawn, 0.99) / 1e6, rel=0.05)


def test_p99_without_anything_handed_on_is_the_firsts() -> None:
    one = np.linspace(1e6, 2e6, 1000)
    assert cascade_p99_ms(one, one, 0.0) == pytest.approx(1.99, rel=0.01)


def test_the_smallest_share_is_a_twentieth() -> None:
    labels = np.arange(200) % 2
    wrong = np.arange(200) < 4
    first = answers(np.linspace(0.6, 0.9, 200).tolist(), np.where(wrong, 1 - labels, labels).tolist(), labels.tolist())
    found = choose_handover(first, answers([0.9] * 200, labels.tolist(), labels.tolist()), 2)
    assert found is not None
    assert found.share == pytest.approx(0.05)


def test_where_no_share_is_as_good_as_the_second_the_best_is_taken() -> None:
    """The first is wrong where it is unsure, and where it is surest."""
    labels, place = np.arange(200) % 2, np.arange(200)
    wrong = (place < 20) | (place >= 190)
    first = answers(np.linspace(0.6, 0.9, 200).tolist(), np.where(wrong, 1 - labels, labels).tolist(), labels.tolist())
    found = choose_handover(first, answers([0.9] * 200, labels.tolist(), labels.tolist()), 2)
    assert found is not None
    assert found.share == pytest.approx(0.1)
    assert found.macro_f1 == pytest.approx(0.95)
