"""The interval of a mean over classes: it holds, contains its own estimate, and is not narrow where little is known."""

from __future__ import annotations

import numpy as np
import pytest
from answers import answers_of, noisy_answers
from hypothesis import given
from hypothesis import strategies as st

from bench.quality.intervals import class_mean_bounds, items_needed
from bench.quality.scores import measure_quality


@given(seed=st.integers(0, 2**16), n=st.integers(1, 400), k=st.integers(2, 30))
def test_every_interval_contains_its_own_estimate(seed: int, n: int, k: int) -> None:
    random = np.random.default_rng(seed)
    quality = measure_quality(noisy_answers(random, random.integers(0, k, n), k, 0.6), [str(c) for c in range(k)])
    for figure in (quality.macro_f1, quality.macro_precision, quality.macro_recall, quality.accuracy):
        assert 0 <= figure.low <= figure.value <= figure.high <= 1


def test_a_class_with_one_text_is_not_taken_for_a_certain_one() -> None:
    """.499 +-.003 rested on one text: 1,000 right texts of a class and one wrong one of another."""
    labels = np.append(np.zeros(1000, dtype=np.int64), 1)
    figure = measure_quality(answers_of(labels, np.zeros(1001, dtype=np.int64), 2), ["a", "b"]).macro_f1
    assert figure.value == pytest.approx(0.49975)
    assert figure.low < 0.25
    assert figure.high > 0.75
    faultless = measure_quality(answers_of(labels, labels, 2), ["a", "b"]).macro_f1
    assert faultless.value == 1.0
    assert faultless.low < 0.75


@pytest.mark.parametrize(
    ("classes", "n", "zipf"), [(2, 30, False), (4, 60, True), (20, 100, False), (20, 100, True), (150, 1000, False)]
)
def test_the_interval_of_macro_f1_holds(classes: int, n: int, zipf: bool) -> None:
    """benchmarks/coverage.md has more; the plain bootstrap covers 30 to 80 % at 20 classes and 100 texts."""
    random = np.random.default_rng(classes + n)
    prior = 1 / np.arange(1, classes + 1) if zipf else np.ones(classes)
    prior /= prior.sum()
    answers = np.full((classes, classes), 0.2 / (classes - 1))
    np.fill_diagonal(answers, 0.8)
    joint = prior[:, None] * answers
    truth = (2 * np.diag(joint) / (joint.sum(axis=0) + joint.sum(axis=1))).mean()
    counts = random.multinomial(n, joint.ravel(), 400).reshape(-1, classes, classes)
    counts = counts[[items_needed(each.sum(axis=1)) is None for each in counts]]
    texts, given = counts.sum(axis=2), counts.sum(axis=1)
    right = np.diagonal(counts, axis1=1, axis2=2).astype(float)
    _, low, high = class_mean_bounds(right, (texts + given) / 2, texts > 0)
    assert ((low <= truth) & (truth <= high)).mean() >= 0.93
    assert (high - low).mean() < 0.4


def test_there_is_no_interval_with_too_few_texts_a_class() -> None:
    random = np.random.default_rng(0)
    labels = np.tile(np.arange(20), 3)
    names = [str(c) for c in range(20)]
    figure = measure_quality(noisy_answers(random, labels, 20, 0.8), names).macro_f1
    assert (figure.low, figure.high, figure.items_needed) == (0.0, 1.0, 80)
    enough = measure_quality(noisy_answers(random, np.tile(np.arange(20), 4), 20, 0.8), names).macro_f1
    assert enough.items_needed is None
    assert 0 < enough.low < enough.high < 1


def test_classes_without_a_text_take_more_texts() -> None:
    assert items_needed(np.array([30, 29, 0])) == 60
    assert items_needed(np.array([30, 30, 0])) is None
    assert items_needed(np.full(150, 4)) is None
    assert items_needed(np.full(20, 99), precision=True) == 2000
    assert items_needed(np.full(20, 100), precision=True) is None
