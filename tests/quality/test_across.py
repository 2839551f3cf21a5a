"""Methods over several suites: ranks by hand, published critical values, and what a few suites can say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.quality.across import compare_across, critical_difference

# Demsar 2006, table 6: AUC of C4.5 with two parameters each tuned or not (c45, m, cf, m+cf), 14 data sets
DEMSAR = {
    "c45": (0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619, 0.972, 0.957),
    "m": (0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666, 0.981, 0.978),
    "cf": (0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.000, 0.965, 0.614, 0.9751, 0.946),
    "m+cf": (0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.000, 0.962, 0.669, 0.975, 0.970),
}


def names(count: int) -> tuple[str, ...]:
    return tuple(f"suite{number}" for number in range(count))


def test_the_published_example_comes_out() -> None:
    """The paper: mean ranks 3.143, 2.000, 2.893, 1.964; F 3.69 (5 % at 2.85); critical difference 1.25."""
    across = compare_across(names(14), DEMSAR)
    means = {row.name: row.mean_rank for row in across.rows}
    assert means == pytest.approx({"c45": 3.143, "m": 2.0, "cf": 2.893, "m+cf": 1.964}, abs=0.001)
    assert across.critical_difference == pytest.approx(1.25, abs=0.01)
    assert across.friedman_p is not None
    assert 0.01 < across.friedman_p < 0.05
    assert across.rows[0].name == "m+cf"
    assert across.groups == (("m+cf", "m", "cf", "c45"),)


@pytest.mark.parametrize(("methods", "q"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_the_critical_values_are_those_of_the_paper(methods: int, q: float) -> None:
    assert critical_difference(methods, 10) == pytest.approx(q * np.sqrt(methods * (methods + 1) / 60), abs=0.002)


def test_ranks_ties_and_wins_by_hand() -> None:
    across = compare_across(("a", "b"), {"lora": (0.9, 0.8), "tfidf": (0.7, 0.8), "svm": (0.8, 0.7)})
    rows = {row.name: row for row in across.rows}
    assert [row.name for row in across.rows] == ["lora", "tfidf", "svm"]
    assert (rows["lora"].mean_rank, rows["tfidf"].mean_rank, rows["svm"].mean_rank) == (1.25, 2.25, 2.5)
    assert rows["lora"].win_rate == pytest.approx(3.5 / 4)
    assert rows["svm"].win_rate == pytest.approx(1 / 4)


def test_few_suites_tell_nothing_apart() -> None:
    across = compare_across(names(4), {"a": (0.9,) * 4, "b": (0.1,) * 4})
    assert (across.critical_difference, across.friedman_p) == (None, None)
    assert across.groups == (("a", "b"),)
    assert compare_across(names(2), {"a": (1, 1), "b": (0, 0)}).rows[0].low is None


def test_a_method_that_always_wins_stands_apart() -> None:
    across = compare_across(names(12), {"a": (0.9,) * 12, "b": (0.5,) * 12, "c": (0.5,) * 12})
    assert across.groups == (("b", "c"),)
    assert across.friedman_p is not None
    assert across.friedman_p < 0.001
    low, high = across.rows[0].low, across.rows[0].high
    assert (low, high) == pytest.approx((1.0, 1.483), abs=0.01)  # 12 suites: not certainly the first on the next


def test_equal_methods_are_seldom_told_apart() -> None:
    generator = np.random.default_rng(0)
    told = sum(
        len(compare_across(names(8), {name: generator.random(8) for name in "abcde"}).groups[0]) < 5 for _ in range(400)
    )
    assert told <= 30  # 5 % of 400, and chance


@given(st.lists(st.lists(st.floats(0, 1), min_size=5, max_size=5), min_size=2, max_size=6))
def test_ranks_and_wins_add_up(table: list[list[float]]) -> None:
    across = compare_across(names(5), {str(at): scores for at, scores in enumerate(table)})
    assert np.mean([row.mean_rank for row in across.rows]) == pytest.approx((len(table) + 1) / 2)
    assert np.mean([row.win_rate for row in across.rows]) == pytest.approx(0.5)
    assert all(row.low is not None and row.low <= row.mean_rank + 1e-9 for row in across.rows)


@pytest.mark.parametrize("scores", [{"a": (1.0, 1.0)}, {"a": (1.0,), "b": (1.0,)}, {"a": (1.0, 1.0), "b": (1.0,)}])
def test_what_cannot_be_compared_is_refused(scores: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(ValueError, match="at least two"):
        compare_across(("a", "b"), scores)
