"""Turns logits into probabilities and labels, the same for every engine."""

from __future__ import annotations

import numpy as np


def answers(logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Softmax and argmax in float32: probabilities (n, k) whose rows sum to 1, labels int64 (n,).

    A row with a NaN, or whose largest logit is infinite, is no valid answer: label -1, equal probabilities.
    """
    largest = logits.max(axis=1, keepdims=True)
    valid = np.isfinite(largest[:, 0])  # the maximum of a row with a NaN is NaN
    with np.errstate(invalid="ignore", over="ignore"):
        exponentials = np.exp(logits - largest)
    exponentials[~valid] = 1.0
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    labels = np.where(valid, logits.argmax(axis=1), -1).astype(np.int64)
    return probabilities, labels


def certain(labels: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities float32 (n, k) of answers that come without any: 1 for the class read, equal where none was."""
    probabilities = np.full((len(labels), classes), 1 / classes, dtype=np.float32)
    read = np.flatnonzero(labels >= 0)
    probabilities[read] = 0
    probabilities[read, labels[read]] = 1
    return probabilities
