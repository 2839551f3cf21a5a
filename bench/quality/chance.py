"""Tests whether answers are worse than guessing, as they are where labels are in another order than assumed."""

from __future__ import annotations

import numpy as np

from bench.results.records import Quality

SIGNIFICANT = 0.01
MOST_CLASSES = 200
LEAST_RIGHT, LEAST_GAIN = 0.5, 0.2


def below_chance(quality: Quality) -> float | None:
    """The one-sided binomial p-value of so few right answers from guessing evenly; None where it is not below .01."""
    from scipy.stats import binomtest

    classes = len(quality.per_class)
    if classes < 2:
        return None
    right = round(quality.accuracy.value * quality.n)
    p_value = float(binomtest(right, quality.n, 1 / classes, alternative="less").pvalue)
    return p_value if p_value < SIGNIFICANT else None


def right_in_other_order(quality: Quality) -> float | None:
    """The accuracy of the same answers with the classes in their best other order; None where none stands out.

    It must be 20 points better, right in half of the texts, and no such luck as one finds among all k! orders.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.special import gammaln
    from scipy.stats import binom

    classes = len(quality.per_class)
    if not 2 <= classes <= MOST_CLASSES:
        return None
    confusion = np.array(quality.confusion)
    rows, columns = linear_sum_assignment(confusion, maximize=True)
    right = int(confusion[rows, columns].sum())
    share = right / quality.n
    if share < max(LEAST_RIGHT, quality.accuracy.value + LEAST_GAIN):
        return None
    log_p = float(binom.logsf(right - 1, quality.n, 1 / classes) + gammaln(classes + 1))
    return share if log_p < np.log(SIGNIFICANT) else None


def quality_warnings(quality: Quality | None) -> tuple[str, ...]:
    """What a result says of its answers beside the figures."""
    if quality is None:
        return ()
    if (p_value := below_chance(quality)) is not None:
        return (
            f"right in {quality.accuracy.value:.1%} of {quality.n:,} texts, significantly less than guessing among "
            f"{len(quality.per_class)} classes (p = {p_value:.1g}): are the labels in another order?",
        )
    if (other := right_in_other_order(quality)) is not None:
        return (
            f"right in {quality.accuracy.value:.1%} of {quality.n:,} texts, but in {other:.1%} if its classes were in "
            "another order: are the labels in another order?",
        )
    return ()
