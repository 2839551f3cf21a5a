"""Certifies another engine's answers of the same classifier, and what that engine does to them."""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv

from bench.errors import DataError
from bench.quality.stats import mcnemar
from bench.results.certificates import Flip, FreeWriting, Parity
from bench.results.records import Answers
from bench.types import Precision

REQUIRED: dict[Precision, float] = {"fp32": 0.999, "fp16": 0.995, "bf16": 0.995, "int8": 0.99, "unstated": 0.99}
REQUIRED_OF_CONSTRAINT = 0.99
SIGNIFICANT = 0.05
CONFIDENCE = 0.95
STORED_FLIPS = 200


def certify(
    reference: Answers, other: Answers, precision: Precision, reference_name: str, same_tokens: bool | None
) -> Parity:
    """Compare an engine's answers with the reference engine's, item by item.

    It passes when it reads the same tokens, gives at least the share of equal labels its precision must, and a lower
    precision than fp32 is not significantly less accurate (exact McNemar, p < 0.05). What so many texts could not show
    stands beside it (`changed_at_most`). Raises DataError when the two answered other items.
    """
    if not np.array_equal(reference.ids, other.ids):
        raise DataError("the two engines answered different test items; run the cell again")
    equal = reference.prediction.labels == other.prediction.labels
    right, other_right = reference.prediction.labels == reference.labels, other.prediction.labels == other.labels
    lost, won = int((right & ~other_right).sum()), int((~right & other_right).sum())
    p = mcnemar(lost, won)
    worse = precision != "fp32" and lost > won and p < SIGNIFICANT
    equal_labels = float(equal.mean())
    gap = np.abs(reference.prediction.probabilities - other.prediction.probabilities)
    return Parity(
        reference=reference_name,
        items=len(equal),
        same_tokens=same_tokens,
        equal_labels=equal_labels,
        required=REQUIRED[precision],
        largest_probability_difference=float(gap.max()),
        mcnemar_p=p,
        passed=equal_labels >= REQUIRED[precision] and same_tokens is not False and not worse,
        flips=_flips(reference, other, np.flatnonzero(~equal)[:STORED_FLIPS]),
        changed_at_most=most_changed(int((~equal).sum()), len(equal)),
        items_to_judge=items_to_judge(REQUIRED[precision]),
    )


def certify_constraint(constrained: Answers, free: Answers) -> FreeWriting:
    """Compare constrained answers with free ones, on the texts where both name a class.

    It passes where the labels of at least 99 % of these are equal and the constraint is not significantly less accurate
    on them (exact McNemar, p < 0.05). Raises DataError when the two answered other items.
    """
    if not np.array_equal(constrained.ids, free.ids):
        raise DataError("constrained and free answers are of different test items; run the cell again")
    labels, free_labels = constrained.prediction.labels, free.prediction.labels
    both = (labels >= 0) & (free_labels >= 0)
    right, free_right = labels == constrained.labels, free_labels == free.labels
    lost, won = int((both & free_right & ~right).sum()), int((both & right & ~free_right).sum())
    p = mcnemar(lost, won)
    equal = float((labels == free_labels)[both].mean()) if both.any() else None
    return FreeWriting(
        items=len(labels),
        both_valid=int(both.sum()),
        equal_labels=equal,
        required=REQUIRED_OF_CONSTRAINT,
        lost=lost,
        won=won,
        mcnemar_p=p,
        free_valid_share=float((free_labels >= 0).mean()),
        passed=equal is not None and equal >= REQUIRED_OF_CONSTRAINT and not (lost > won and p < SIGNIFICANT),
    )


def constraint_warnings(free: FreeWriting | None) -> tuple[str, ...]:
    """What a result says where its constraint changes what the model would have answered by itself."""
    if free is None or free.passed:
        return ()
    if free.equal_labels is None:
        return (f"written freely, none of {free.items:,} answers names a class: nothing certifies the constraint",)
    return (
        f"constrained answers differ from free ones in {1 - free.equal_labels:.1%} of the {free.both_valid:,} texts "
        f"that both answer ({free.lost} right ones lost, {free.won} won)",
    )


def most_changed(changed: int, n: int) -> float:
    """The exact upper 95 % bound of a share (Clopper and Pearson 1934, one-sided): 9 % for none of 32."""
    return 1.0 if changed == n else float(betaincinv(changed + 1, n - changed, CONFIDENCE))


def items_to_judge(required: float) -> int:
    """How few texts without a changed label bound the share of changes by what the bar allows."""
    return int(np.ceil(np.log(1 - CONFIDENCE) / np.log(required)))


def _flips(reference: Answers, other: Answers, rows: np.ndarray) -> tuple[Flip, ...]:
    top_two = np.sort(reference.prediction.probabilities[rows], axis=1)[:, -2:]
    margins = top_two[:, 1] - top_two[:, 0]
    return tuple(
        Flip(
            id=int(reference.ids[row]),
            reference=int(reference.prediction.labels[row]),
            label=int(other.prediction.labels[row]),
            margin=float(margin),
        )
        for row, margin in zip(rows, margins, strict=True)
    )
