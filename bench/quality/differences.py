"""Bounds the difference of two classifiers on the same test items: of accuracy, of macro F1, also where few differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from scipy import optimize, special

from bench.results.records import Interval

CONFIDENCE = 0.95
_CLOSE, _NEAR = 1e-12, 1e-9


@dataclass(frozen=True)
class ItemValues:
    """What every item adds to a difference that is the mean of these values, as distinct values with their counts.

    values float (a,), ascending; counts float (a,). `lowest` and
    `highest` are the most that one item could take and add, seen or not: they bound what has not been seen yet.
    """

    values: np.ndarray
    counts: np.ndarray
    lowest: float
    highest: float

    @property
    def n(self) -> float:
        """The number of items."""
        return float(self.counts.sum())

    @property
    def mean(self) -> float:
        """The difference itself."""
        return float(self.values @ self.counts) / self.n


def accuracy_values(lost: float, won: float, n: float) -> ItemValues:
    """Values of a difference of accuracy: -1 for a lost item, 1 for a won one, 0 for all others of n."""
    return ItemValues(np.array([-1.0, 0.0, 1.0]), np.array([lost, n - lost - won, won], float), -1.0, 1.0)


def item_values(values: np.ndarray, lowest: float, highest: float) -> ItemValues:
    """Values of any figure that is a mean over items; values float (n,)."""
    distinct, counts = np.unique(np.round(values, 12), return_counts=True)
    return ItemValues(distinct, counts.astype(float), min(lowest, distinct[0]), max(highest, distinct[-1]))


def accuracy_difference(lost: float, won: float, n: float, confidence: float = CONFIDENCE) -> Interval:
    """New minus old accuracy with Tango's score interval (1998, Statistics in Medicine 17).

    lost: items that only the old classifier has right; won: only the new one; n: all items, at least 1.
    Without a lost or won item it still says no more than n items can: a loss below 28 points at n = 10.
    """
    return score_interval(accuracy_values(lost, won, n), confidence)


def macro_f1_difference(
    labels: np.ndarray, old: np.ndarray, new: np.ndarray, class_count: int, confidence: float = CONFIDENCE
) -> Interval:
    """New minus old macro F1 over the classes that have a test item, with a score interval.

    labels, old, new: int (n,), -1 in old and new for an answer that names no class; n at least 1.
    """
    found = score_interval(macro_f1_values(labels, [old], [new], class_count), confidence)
    return Interval(value=found.value, low=max(-1.0, found.low), high=min(1.0, found.high))


def macro_f1_values(
    labels: np.ndarray, old: Sequence[np.ndarray], new: Sequence[np.ndarray], class_count: int
) -> ItemValues:
    """What every item adds to the difference of macro F1, by its influence on both (delta method).

    Several classifiers a side (training seeds) count by their mean. Classes without a test item are left out.
    """
    values, most = np.zeros(len(labels)), 0.0
    for side, sign in ((old, -1), (new, 1)):
        for predicted in side:
            score, influence, at_most = _influence(labels, predicted, class_count)
            values += sign * (score + influence) / len(side)
            most += at_most / len(side) / 2
    return item_values(values, -most, most)


def _influence(labels: np.ndarray, predicted: np.ndarray, class_count: int) -> tuple[float, np.ndarray, float]:
    """Macro F1, each item's influence on it, float (n,), and the most that one item's other answer could change it."""
    n = len(labels)
    support = np.bincount(labels, minlength=class_count)
    given = np.bincount(predicted[predicted >= 0], minlength=class_count)
    right = np.bincount(labels[labels == predicted], minlength=class_count)
    classes = int((support > 0).sum())
    total = np.where(support > 0, support + given, 1)
    f1 = np.where(support > 0, 2 * right / total, 0.0)
    weight = np.where(support > 0, n / (classes * total), 0.0)
    of_given = np.where(predicted >= 0, (weight * f1)[predicted], 0.0)
    influence = 2 * weight[labels] * (labels == predicted) - (weight * f1)[labels] - of_given
    most = float((weight * (2 - f1)).max() + (weight * f1).max())
    return float(f1.sum() / classes), influence, most


def score_interval(items: ItemValues, confidence: float = CONFIDENCE) -> Interval:
    """The mean of the values with its score interval: all means that a test of the data would not refuse.

    Each mean is tested with the variance that the most likely distribution with that mean has (Owen's empirical
    likelihood, 1988, over the seen values and the two extremes). Values -1, 0 and 1 make it Tango's interval.
    """
    return Interval(value=items.mean, low=lower_bound(items, confidence), high=upper_bound(items, confidence))


def lower_bound(items: ItemValues, confidence: float = CONFIDENCE) -> float:
    """The lower end of the score interval."""
    z, mean, spread = _deviations(confidence), items.mean, items.highest - items.lowest
    n = items.n

    def excess(candidate: float) -> float:
        return n * (mean - candidate) ** 2 - z * z * _variance(items, candidate)

    nearest, farthest = mean - _NEAR * spread, items.lowest + _NEAR * spread
    if nearest <= farthest or excess(farthest) <= 0:
        return items.lowest
    return mean if excess(nearest) >= 0 else float(optimize.brentq(excess, farthest, nearest, xtol=_NEAR * spread))


def items_to_exclude(items: ItemValues, value: float, confidence: float = CONFIDENCE) -> int | None:
    """The fewest items with the same shares whose interval excludes this value; None where it is the mean itself."""
    if abs(items.mean - value) < _NEAR:
        return None
    z = _deviations(confidence)
    variance = _variance(items, value) if value < items.mean else _variance(_turned(items), -value)
    return ceil(z * z * variance / (items.mean - value) ** 2 + _NEAR)


def upper_bound(items: ItemValues, confidence: float = CONFIDENCE) -> float:
    """The upper end: the lower one of the values turned around."""
    return -lower_bound(_turned(items), confidence)


def _deviations(confidence: float) -> float:
    """Standard normal deviations that a two-sided interval goes to."""
    return float(special.ndtri((1 + confidence) / 2))


def _turned(items: ItemValues) -> ItemValues:
    return ItemValues(-items.values[::-1], items.counts[::-1], -items.highest, -items.lowest)


def _variance(items: ItemValues, mean: float) -> float:
    """Variance of the most likely distribution whose mean this is, which lies below the seen one."""
    seen = items.counts > 0
    values, shares = items.values[seen] - mean, items.counts[seen] / items.n
    moments = shares * values
    steepest = (1 - _CLOSE) / (mean - items.lowest)  # where the lowest value gets all the probability that is left

    def unbalanced(tilt: float) -> float:
        return float(moments @ (1 / (1 + tilt * values)))

    if unbalanced(0.0) <= 0:  # the seen mean itself, but for rounding
        return float(shares @ values**2)
    if unbalanced(steepest) < 0:
        weights = shares / (1 + optimize.brentq(unbalanced, 0.0, steepest) * values)
        return float(weights @ values**2)
    weights = shares / (1 + steepest * values)
    rest = max(0.0, 1 - float(weights.sum()))
    return float(weights @ values**2 + rest * (items.lowest - mean) ** 2)
