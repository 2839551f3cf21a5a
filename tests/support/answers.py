"""Predictions made from a seed, for tests of quality, parity and ranks."""

from __future__ import annotations

import numpy as np

from bench.results.records import Answers
from bench.types import Prediction


def answers_of(labels: np.ndarray, predicted: np.ndarray, k: int, ids: np.ndarray | None = None) -> Answers:
    """Answers with the given labels; probability 0.9 on the predicted class, uniform where it is -1."""
    n = len(labels)
    probabilities = np.full((n, k), 0.1 / (k - 1), dtype=np.float32)
    named = predicted >= 0
    probabilities[np.flatnonzero(named), predicted[named]] = 0.9
    probabilities[~named] = 1 / k
    prediction = Prediction(probabilities, predicted, np.full(n, 12, np.int32), np.zeros(n, bool))
    return Answers(np.arange(n) if ids is None else ids, labels, prediction)


def noisy_answers(rng: np.random.Generator, labels: np.ndarray, k: int, accuracy: float) -> Answers:
    """Answers that are right with the given probability, else any class."""
    predicted = np.where(rng.random(len(labels)) < accuracy, labels, rng.integers(0, k, len(labels)))
    return answers_of(labels, predicted, k)
