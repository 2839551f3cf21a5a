"""Slices counted by hand, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from bench.quality.slices import length_quarters, slices_of, weakest


def test_the_weakest_slice_and_its_test_against_the_rest() -> None:
    right = np.array([True] * 80 + [False] * 20)
    part = np.zeros(100, bool)
    part[70:] = True
    [found] = slices_of(right, {"hard": part})
    assert (found.n, found.accuracy.value) == (30, pytest.approx(1 / 3))
    assert found.p == pytest.approx(fisher_exact([[10, 20], [70, 0]]).pvalue)
    assert weakest([found]) == found


def test_several_slices_are_corrected_together() -> None:
    right = np.arange(100) % 5 > 0
    first, second = np.arange(100) < 40, np.arange(100) >= 60
    alone = slices_of(right, {"first": first})[0]
    together = slices_of(right, {"first": first, "second": second})
    assert together[0].p >= alone.p


def test_slices_of_few_or_of_all_texts_are_left_out() -> None:
    right = np.ones(50, bool)
    assert slices_of(right, {"few": np.arange(50) < 19, "all": np.ones(50, bool)}) == []
    assert weakest([]) is None


@given(st.lists(st.integers(1, 50), min_size=1, max_size=100))
def test_every_text_is_in_one_quarter(lengths: list[int]) -> None:
    parts = length_quarters(np.array(lengths))
    assert (np.sum(list(parts.values()), axis=0) == 1).all()


def test_quarters_go_from_short_to_long() -> None:
    parts = length_quarters(np.arange(1, 101))
    assert [int(part.sum()) for part in parts.values()] == [25, 25, 25, 25]
    assert parts["shortest quarter"][:25].all()
    assert list(length_quarters(np.full(30, 7))) == ["shortest quarter"]


def test_twenty_texts_are_enough_and_the_p_is_that_of_the_counts() -> None:
    right = np.arange(100) % 4 > 0
    part = np.arange(100) < 20
    right[:4] = False
    [found] = slices_of(right, {"first": part})
    inside, outside = int(right[part].sum()), int(right[~part].sum())
    assert 0.05 < found.p < 0.9
    assert found.p == pytest.approx(fisher_exact([[inside, 20 - inside], [outside, 80 - outside]]).pvalue)
