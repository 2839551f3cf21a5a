"""A classifier whose scores are no numbers has no quality, no speed and no rank, whichever label came out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tiny_models import toy_dataset

from bench.execution.measure_job import _answer
from bench.types import Prediction, StageClock


class Scores:
    """A session whose engine gives these scores for every text."""

    def __init__(self, scores: Sequence[float]) -> None:
        self.scores = np.array(scores, dtype=np.float32)
        self.clock = StageClock()

    def predict(self, texts: Sequence[str]) -> Prediction:
        n = len(texts)
        probabilities = np.tile(self.scores, (n, 1))
        return Prediction(probabilities, np.zeros(n, np.int64), np.ones(n, np.int32), np.zeros(n, bool))


@pytest.mark.parametrize("scores", [[np.nan, np.nan, np.nan], [np.nan, 0.5, 0.5], [np.inf, 0.0, 0.0]])
def test_scores_that_are_no_numbers_are_no_answer(scores: list[float]) -> None:
    answers = _answer(Scores(scores).predict, toy_dataset(train=12).test, "answering", lambda *_: None)
    assert set(answers.prediction.labels) == {-1}
    assert np.isfinite(answers.prediction.probabilities).all()


def test_scores_that_are_numbers_stay_as_they_are() -> None:
    answers = _answer(Scores([0.7, 0.2, 0.1]).predict, toy_dataset(train=12).test, "answering", lambda *_: None)
    assert set(answers.prediction.labels) == {0}
    assert answers.prediction.probabilities[0] == pytest.approx([0.7, 0.2, 0.1])
