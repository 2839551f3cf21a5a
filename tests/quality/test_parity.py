"""The certificate passes what is equal and catches what is not."""

from __future__ import annotations

import numpy as np
import pytest
from answers import answers_of

from bench.errors import DataError
from bench.quality.parity import certify
from bench.results.records import Answers
from bench.types import Precision

N = 2000


def reference() -> Answers:
    labels = np.random.default_rng(0).integers(0, 4, N)
    return answers_of(labels, labels.copy(), 4)


def with_flips(count: int) -> Answers:
    first = reference()
    predicted = first.prediction.labels.copy()
    predicted[:count] = (predicted[:count] + 1) % 4
    return answers_of(first.labels, predicted, 4)


def test_equal_answers_pass() -> None:
    parity = certify(reference(), reference(), "fp32", "eager", same_tokens=True)
    assert parity.passed
    assert parity.equal_labels == 1.0
    assert parity.largest_probability_difference == 0.0
    assert parity.flips == ()


@pytest.mark.parametrize(
    ("precision", "flips", "passed"),
    [
        ("fp32", 2, True),
        ("fp32", 3, False),
        ("bf16", 5, True),
        ("bf16", 11, False),
        ("int8", 5, True),
        ("int8", 21, False),
        ("unstated", 5, True),
        ("unstated", 21, False),
    ],
)
def test_the_bar_of_each_precision(precision: Precision, flips: int, passed: bool) -> None:
    parity = certify(reference(), with_flips(flips), precision, "eager", same_tokens=True)
    assert parity.equal_labels == pytest.approx(1 - flips / N)
    assert parity.passed is passed
    assert len(parity.flips) == flips


def test_a_significant_loss_fails_even_above_the_bar() -> None:
    """Ten items lost and none won is p = 0.002: within int8's 1 %, and still a worse classifier."""
    parity = certify(reference(), with_flips(10), "int8", "eager", same_tokens=True)
    assert parity.equal_labels > parity.required
    assert parity.mcnemar_p < 0.05
    assert not parity.passed


def test_other_tokens_fail_whatever_the_labels() -> None:
    assert not certify(reference(), reference(), "fp32", "eager", same_tokens=False).passed
    assert certify(reference(), reference(), "fp32", "eager", same_tokens=None).passed


def test_a_flip_names_its_item_and_margin() -> None:
    [flip] = certify(reference(), with_flips(1), "fp32", "eager", same_tokens=True).flips
    first = reference()
    assert flip.id == first.ids[0]
    assert flip.reference == first.prediction.labels[0]
    assert flip.label != flip.reference
    assert flip.margin == pytest.approx(0.9 - 0.1 / 3, abs=1e-6)


def test_other_items_cannot_be_compared() -> None:
    first = reference()
    shifted = answers_of(first.labels, first.prediction.labels, 4, ids=first.ids + 1)
    with pytest.raises(DataError, match="different test items"):
        certify(first, shifted, "fp32", "eager", same_tokens=True)
