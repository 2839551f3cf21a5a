"""Gives the mean over classes of a share (recall, precision, F1) an interval that holds with few texts a class.

A class's F1 is 2 * right / (texts + answers): a share of (texts + answers) / 2 texts. Its variance is that of a
binomial share, F1 * (1 - F1) / texts, plus what an error adds that counts in two classes; two errors' worth of F1 in
every class bounds both (Cauchy-Schwarz). So the mean over k classes is as good as a share of

    effective texts = F1 * (1 - F1) / variance of the mean

texts, and gets Wilson's interval (1927) for so many. Classes are drawn towards the mean of all by one text, so that a
class with one text, right or wrong, is not taken for a certain one. A ratio of counts is too low on average where they
are small, by F1 * (1 - F1) / (2 * texts): the upper end moves up by as much. benchmarks/coverage.md has the simulated
coverage. It falls under 93 % with fewer than `TEXTS_A_CLASS` texts a class where classes are of unequal size, with
fewer than `TEXTS_WITH_GAPS` where classes have no text (those that have one by chance are the easier ones), and for
macro precision, which a rare class ruins, with fewer than `TEXTS_FOR_PRECISION`: there is no interval then.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from bench.results.records import Interval

CONFIDENCE = 0.95
TEXTS_A_CLASS = 4
TEXTS_WITH_GAPS = 20
TEXTS_FOR_PRECISION = 100
GAPS = 0.05
_PRIOR_TEXTS = 1.0
Z = float(ndtri(0.5 + CONFIDENCE / 2))


def class_mean_interval(right: np.ndarray, texts: np.ndarray, tested: np.ndarray) -> Interval:
    """The interval of one mean: float (k,) right answers and texts that each class's share is of, bool (k,) tested.

    Without an interval (`items_needed`) its ends are those of the scale.
    """
    value, low, high = class_mean_bounds(right[None], texts[None], tested[None])
    return Interval(value=float(value[0]), low=float(low[0]), high=float(high[0]))


def class_mean_bounds(
    right: np.ndarray, texts: np.ndarray, tested: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value, low and high, each float (s,), of s means over classes; the arguments are of shape (s, k)."""
    k = tested.sum(axis=1)
    whole = np.where(tested, np.maximum(texts, 1), np.inf)
    right = np.where(tested, right, 0.0)
    value = (right / whole).sum(axis=1) / k
    counted = np.where(tested, whole, 0.0)
    overall = (right.sum(axis=1) + 0.5) / (counted.sum(axis=1) + 1)
    drawn = (right + _PRIOR_TEXTS * overall[:, None]) / (counted + _PRIOR_TEXTS)
    spread = np.where(tested, drawn * (1 - drawn) / whole, 0.0).sum(axis=1)
    middle = np.where(tested, drawn, 0.0).sum(axis=1) / k
    effective = middle * (1 - middle) / (spread / k**2)
    low, high = _wilson_bounds(value, effective)
    bias = spread / k / 2
    return value, np.clip(np.minimum(low, value), 0, 1), np.clip(np.maximum(high + bias, value), 0, 1)


def _wilson_bounds(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shrunk = 1 + Z**2 / n
    centre = (share + Z**2 / (2 * n)) / shrunk
    half = Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / shrunk
    return centre - half, centre + half


def items_needed(texts: np.ndarray, precision: bool = False) -> int | None:
    """How many texts it takes for an interval of a mean over classes; None where those int (k,) are enough."""
    gaps = (texts == 0).mean() > GAPS
    a_class = TEXTS_FOR_PRECISION if precision else TEXTS_WITH_GAPS if gaps else TEXTS_A_CLASS
    needed = a_class * len(texts)
    return needed if texts.sum() < needed else None
