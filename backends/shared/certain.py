"""Probabilities of answers that come without any."""

from __future__ import annotations

import numpy as np


def certain(labels: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities float32 (n, k) of answers that come without any: 1 for the class read, equal where none was."""
    probabilities = np.full((len(labels), classes), 1 / classes, dtype=np.float32)
    read = np.flatnonzero(labels >= 0)
    probabilities[read] = 0
    probabilities[read, labels[read]] = 1
    return probabilities
