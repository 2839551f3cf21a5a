"""Computes intervals, paired tests and calibration; pure functions of counts and arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from bench.results.records import Interval

CONFIDENCE = 0.95
CALIBRATION_BINS = 15


def wilson(successes: int, n: int) -> Interval:
    """A share with its Wilson 95 % interval (Wilson 1927); n must be at least 1."""
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(value=successes / n, low=float(interval.low), high=float(interval.high))


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p of McNemar's test (1947) from the discordant pairs: right in one system, wrong in the other."""
    from scipy.stats import binomtest

    discordant = only_first + only_second
    return 1.0 if discordant == 0 else float(binomtest(only_first, discordant, 0.5).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (1979), in the given order."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    running = 0.0
    for step, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - step) * p_values[index]))
        adjusted[index] = running
    return adjusted.tolist()


def another_value(values: Sequence[float]) -> tuple[float, float]:
    """Where one more value of the same kind falls in 95 % of cases: Student's prediction interval; 2 values or more."""
    n = len(values)
    half = stdtrit(n - 1, (1 + CONFIDENCE) / 2) * np.std(values, ddof=1) * np.sqrt(1 + 1 / n)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def percentile_interval(value: float, samples: np.ndarray) -> Interval:
    """The percentile bootstrap interval of a figure; samples float (resamples,)."""
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(samples, [tail, 100 - tail])
    return Interval(value=float(value), low=float(low), high=float(high))


def class_scores(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and F1 of every class, each float (..., k), of confusion matrices (..., k, k + 1).

    Rows true, last column "no valid answer". A class without predictions has precision 0, one without texts recall 0,
    one without either F1 0, as in scikit-learn with zero_division=0.
    """
    k = confusion.shape[-2]
    right = np.diagonal(confusion[..., :k], axis1=-2, axis2=-1).astype(float)
    predicted = confusion[..., :k].sum(axis=-2)
    support = confusion.sum(axis=-1)
    return _share(right, predicted), _share(right, support), _share(2 * right, predicted + support)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part, dtype=float), where=whole > 0)


def expected_calibration_error(probabilities: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> float | None:
    """Mean gap between confidence and accuracy over 15 equal-width bins of confidence (Guo et al. 2017).

    probabilities float (n, k), predicted and labels int (n,). An answer that names no class (-1) has no confidence and
    is left out; None where no answer names one.
    """
    valid = predicted >= 0
    if not valid.any():
        return None
    confidence = probabilities[valid].max(axis=1)
    right = predicted[valid] == labels[valid]
    bin_of = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    sums = np.bincount(bin_of, weights=right - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(sums).sum() / valid.sum())


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean squared distance to the one-hot truth, in [0, 2] (Brier 1950).

    probabilities float (n, k), labels int (n,).
    """
    truth = np.zeros_like(probabilities, dtype=float)
    truth[np.arange(len(labels)), labels] = 1.0
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())
