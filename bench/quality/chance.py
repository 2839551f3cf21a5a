"""Tests whether answers are worse than guessing, as they are where labels are in another order than assumed."""

from __future__ import annotations

from bench.results.records import Quality

SIGNIFICANT = 0.01


def below_chance(quality: Quality) -> float | None:
    """The one-sided binomial p-value of so few right answers from guessing evenly; None where it is not below .01."""
    from scipy.stats import binomtest

    classes = len(quality.per_class)
    if classes < 2:
        return None
    right = round(quality.accuracy.value * quality.n)
    p_value = float(binomtest(right, quality.n, 1 / classes, alternative="less").pvalue)
    return p_value if p_value < SIGNIFICANT else None


def quality_warnings(quality: Quality | None) -> tuple[str, ...]:
    """What a result says of its answers beside the figures."""
    p_value = below_chance(quality) if quality else None
    if quality is None or p_value is None:
        return ()
    return (
        f"right in {quality.accuracy.value:.1%} of {quality.n:,} texts, significantly less than guessing among "
        f"{len(quality.per_class)} classes (p = {p_value:.1g}): are the labels in another order?",
    )
