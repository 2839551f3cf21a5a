"""The parity certificate: same classifier, other engine, and what that does to its answers."""

from __future__ import annotations

import numpy as np

from bench.errors import DataError
from bench.quality.stats import mcnemar
from bench.results.records import Answers, Flip, Parity
from bench.types import Precision

REQUIRED: dict[Precision, float] = {"fp32": 0.999, "fp16": 0.995, "bf16": 0.995, "int8": 0.99, "unstated": 0.99}
SIGNIFICANT = 0.05
STORED_FLIPS = 200


def certify(
    reference: Answers, other: Answers, precision: Precision, reference_name: str, same_tokens: bool | None
) -> Parity:
    """Compare an engine's answers with the reference engine's, item by item.

    It passes when it reads the same tokens, gives at least the share of equal labels its precision must, and a lower
    precision than fp32 is not significantly less accurate (exact McNemar, p < 0.05). Raises DataError when the two
    answered other items.
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
    )


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
