"""The certificate passes what is equal and catches what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from answers import answers_of
from scipy.stats import binomtest

from bench.errors import DataError
from bench.quality.parity import certify, most_changed
from bench.results.certificates import Parity
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


def with_loss(lost: int, won: int, precision: Precision, n: int = N) -> bool:
    """Whether an engine passes that loses and wins so many of a reference's right answers."""
    labels = np.zeros(n, dtype=np.int64)
    first, second = labels.copy(), labels.copy()
    first[lost : lost + won] = 1
    second[:lost] = 1
    return certify(answers_of(labels, first, 4), answers_of(labels, second, 4), precision, "eager", True).passed


def test_only_a_lower_precision_is_tested_for_a_loss() -> None:
    """Ten of 20,000 lost is significant, and within both bars: fp32 rounds too, and keeps to its own bar alone."""
    assert with_loss(10, 0, "fp32", 20_000)
    assert not with_loss(10, 0, "bf16", 20_000)


def test_a_significant_gain_is_no_loss() -> None:
    assert with_loss(0, 10, "int8")
    assert not with_loss(10, 0, "int8")


def test_the_largest_probability_difference_is_of_one_text() -> None:
    first = reference()
    moved = first.prediction.probabilities.copy()
    moved[7, 0] += 0.04
    other = replace(first, prediction=replace(first.prediction, probabilities=moved))
    parity = certify(first, other, "fp32", "eager", same_tokens=True)
    assert parity.largest_probability_difference == pytest.approx(0.04, abs=1e-6)


@pytest.mark.parametrize(
    ("changed", "n", "bound"), [(0, 32, 0.0894), (0, 2995, 0.0010), (1, 32, 0.1398), (32, 32, 1.0)]
)
def test_the_bound_is_the_exact_binomial_one(changed: int, n: int, bound: float) -> None:
    theirs = binomtest(changed, n).proportion_ci(0.90, method="exact").high
    assert most_changed(changed, n) == pytest.approx(theirs, abs=1e-9)
    assert most_changed(changed, n) == pytest.approx(bound, abs=1e-4)


@pytest.mark.parametrize(("precision", "items"), [("fp32", 2995), ("bf16", 598), ("int8", 299)])
def test_a_certificate_says_whether_its_texts_could_judge_the_bar(precision: Precision, items: int) -> None:
    def certificate(n: int) -> Parity:
        labels = np.zeros(n, dtype=np.int64)
        return certify(answers_of(labels, labels, 2), answers_of(labels, labels, 2), precision, "eager", True)

    assert certificate(items).items_to_judge == items
    assert certificate(items).judged
    assert not certificate(items - 1).judged
    assert certificate(items - 1).passed
    assert certificate(32).changed_at_most == pytest.approx(0.0894, abs=1e-4)
