"""Ranks are shared where the paired test cannot tell, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from answers import answers_of, noisy_answers
from hypothesis import given
from hypothesis import strategies as st

from bench.quality.ranking import paired_difference, rank
from bench.quality.stats import holm, mcnemar
from bench.results.records import Answers


def labels(n: int = 2000) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, n)


def rows(*accuracies: float) -> dict[str, Answers]:
    rng = np.random.default_rng(1)
    return {f"row{n}": noisy_answers(rng, labels(), 4, accuracy) for n, accuracy in enumerate(accuracies)}


def test_far_apart_rows_have_their_own_ranks() -> None:
    ranking = rank(rows(0.5, 0.95, 0.75), 4)
    assert ranking.rows == ("row1", "row2", "row0")
    assert dict(ranking.ranks) == {"row1": 1, "row2": 2, "row0": 3}
    assert ranking.apart("row1", "row0")


def test_equal_rows_share_a_rank_and_the_next_keeps_its_place() -> None:
    truth = labels()
    good, bad = truth.copy(), truth.copy()
    bad[:1000] = (bad[:1000] + 1) % 4
    ranking = rank(
        {"a": answers_of(truth, good, 4), "b": answers_of(truth, good, 4), "c": answers_of(truth, bad, 4)}, 4
    )
    assert dict(ranking.ranks) == {"a": 1, "b": 1, "c": 3}
    assert not ranking.apart("a", "b")


@given(seed=st.integers(0, 2**12), accuracies=st.lists(st.floats(0.3, 0.99), min_size=2, max_size=6))
def test_p_values_are_mcnemars_with_holm(seed: int, accuracies: list[float]) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 150)
    answers = {str(n): noisy_answers(rng, truth, 3, accuracy) for n, accuracy in enumerate(accuracies)}
    ranking = rank(answers, 3)
    names = ranking.rows
    right = {name: answers[name].prediction.labels == truth for name in names}
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    plain = [mcnemar(int((right[a] & ~right[b]).sum()), int((~right[a] & right[b]).sum())) for a, b in pairs]
    for (a, b), expected in zip(pairs, holm(plain), strict=True):
        assert ranking.p_value(a, b) == pytest.approx(expected, abs=1e-9)
        assert ranking.p_value(b, a) == ranking.p_value(a, b)
    for comparison in ranking.comparisons:
        assert comparison.p == pytest.approx(plain[pairs.index((comparison.ahead, comparison.behind))], abs=1e-9)


def test_rows_on_subsets_are_compared_on_what_both_answered() -> None:
    truth = labels()
    few = np.arange(0, 2000, 5)
    whole = answers_of(truth, truth.copy(), 4)
    part = answers_of(truth[few], truth[few].copy(), 4, ids=few)
    ranking = rank({"whole": whole, "part": part}, 4)
    assert set(ranking.ranks.values()) == {1}
    assert ranking.comparisons[0].n == 400


def test_rows_without_common_items_are_not_told_apart() -> None:
    truth = labels(100)
    first = answers_of(truth, truth.copy(), 4)
    second = answers_of(truth, (truth + 1) % 4, 4, ids=np.arange(100, 200))
    ranking = rank({"first": first, "second": second}, 4)
    assert set(ranking.ranks.values()) == {1}
    assert ranking.comparisons[0].n == 0
    assert ranking.smallest_difference is None


def test_the_difference_is_paired_and_signed() -> None:
    rng = np.random.default_rng(5)
    truth = labels()
    first = noisy_answers(rng, truth, 4, 0.9)
    worse = first.prediction.labels.copy()
    worse[:60] = (truth[:60] + 1) % 4
    second = answers_of(truth, worse, 4)
    difference = paired_difference(first, second, 4)
    assert 0 < difference.low < difference.value < difference.high
    mirrored = paired_difference(second, first, 4)
    assert mirrored.value == pytest.approx(-difference.value)
    same = paired_difference(first, first, 4)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_a_single_row_is_first() -> None:
    ranking = rank(rows(0.9), 4)
    assert dict(ranking.ranks) == {"row0": 1}
    assert ranking.comparisons == ()
    assert ranking.smallest_difference is None


def test_many_classes_fit_in_memory() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 150, 3000)
    ranking = rank({name: noisy_answers(rng, truth, 150, a) for name, a in (("a", 0.9), ("b", 0.5))}, 150)
    assert dict(ranking.ranks) == {"a": 1, "b": 2}


def test_answers_that_name_no_class_are_wrong_and_break_nothing() -> None:
    truth = labels(400)
    silent = truth.copy()
    silent[:200] = -1
    ranking = rank({"good": answers_of(truth, truth, 4), "silent": answers_of(truth, silent, 4)}, 4)
    assert ranking.rows == ("good", "silent")
    assert ranking.apart("good", "silent")
    difference = paired_difference(answers_of(truth, truth, 4), answers_of(truth, silent, 4), 4)
    assert difference.low <= difference.value <= difference.high
    assert difference.value > 0.3
