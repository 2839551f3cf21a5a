"""Ensembles counted by hand: means of probabilities of the texts that all answered, and rates."""

from __future__ import annotations

import numpy as np
import pytest

from bench.quality.ensembles import average, ensemble_rate
from bench.results.records import Answers
from bench.types import Prediction


def answers(probabilities: list[list[float]], ids: list[int], invalid: tuple[int, ...] = ()) -> Answers:
    values = np.array(probabilities, np.float32)
    labels = np.array([-1 if row in invalid else values[row].argmax() for row in range(len(ids))])
    prediction = Prediction(values, labels, np.arange(1, len(ids) + 1, dtype=np.int32), np.zeros(len(ids), bool))
    return Answers(np.array(ids), np.array(ids) % 2, prediction)


def test_the_mean_of_the_texts_that_all_answered_whatever_their_order() -> None:
    first = answers([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], [3, 1, 2])
    second = answers([[0.3, 0.7], [0.1, 0.9]], [2, 3])
    together = average([first, second])
    assert together.ids.tolist() == [2, 3]
    assert together.labels.tolist() == [0, 1]
    assert together.prediction.probabilities == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))
    assert together.prediction.labels.tolist() == [1, 0]
    assert together.prediction.token_counts.tolist() == [3, 2]


def test_an_answer_that_names_no_class_has_no_say_and_none_at_all_stays_invalid() -> None:
    sure = answers([[0.2, 0.8], [0.5, 0.5]], [0, 1], invalid=(1,))
    silent = answers([[0.5, 0.5], [0.5, 0.5]], [0, 1], invalid=(0, 1))
    assert average([sure, silent]).prediction.labels.tolist() == [1, -1]


def test_one_machine_asks_all_members() -> None:
    assert ensemble_rate([100.0, 50.0]) == pytest.approx(1 / (0.01 + 0.02))
