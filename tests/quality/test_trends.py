"""Trends and change points: against scipy, counted by hand, and as often wrong as they say."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from bench.quality.trends import FEWEST, trend_of


@given(st.lists(st.integers(0, 10_000), min_size=5, max_size=7, unique=True))
def test_few_values_without_ties_are_judged_as_scipy_does(values: list[int]) -> None:
    ours, theirs = trend_of(values), kendalltau(range(len(values)), values, method="exact")
    assert ours is not None
    assert ours.tau == pytest.approx(theirs.statistic)
    assert ours.trend_p == pytest.approx(theirs.pvalue)


def test_a_steady_slide_is_as_rare_as_its_order() -> None:
    found = trend_of([0.95, 0.94, 0.93, 0.92, 0.91, 0.90])
    assert found is not None
    assert found.tau == -1
    assert found.trend_p == pytest.approx(2 / factorial(6))


def test_a_step_is_found_where_it_is() -> None:
    found = trend_of([0.90, 0.91, 0.905, 0.902, 0.908, 0.80, 0.81, 0.805, 0.802, 0.808])
    assert found is not None
    assert found.change_at == 5
    assert found.change_p < 0.02


def test_equal_values_are_no_trend() -> None:
    found = trend_of([0.9] * 6)
    assert found is not None
    assert (found.tau, found.trend_p, found.change_p) == (0.0, 1.0, 1.0)


def test_four_runs_tell_nothing() -> None:
    assert trend_of([4, 3, 2, 1]) is None
    assert FEWEST == 5


@pytest.mark.parametrize("n", [6, 12])
def test_chance_is_called_a_trend_as_often_as_the_level_says(n: int) -> None:
    random = np.random.default_rng(n)
    found = [trend_of(np.round(random.normal(size=n), 1).tolist()) for _ in range(60)]
    assert np.mean([each.trend_p < 0.05 for each in found if each]) <= 0.15
    assert np.mean([each.change_p < 0.05 for each in found if each]) <= 0.15


def test_drawn_orders_never_give_a_p_of_nothing() -> None:
    found = trend_of(list(range(12)))
    assert found is not None
    assert found.trend_p == pytest.approx(1 / 10_001)
    assert 1 / 10_001 <= found.change_p < 0.01
