"""Compares methods over several suites: mean ranks, win rates and Nemenyi's critical difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import fdtrc, stdtrit

from bench.quality.ranking import SIGNIFICANT
from bench.types import Record

FEWEST_SUITES_FOR_INTERVAL = 3
FEWEST_SUITES_FOR_TEST = 5


class AcrossMethod(Record):
    """A method over the suites: `scores` are its macro F1, one a suite; `low`, `high` the mean rank's 95 % interval.

    `win_rate` is the share of (suite, other method) in which it has the higher score; a tie is half a win.
    """

    name: str
    scores: tuple[float, ...]
    mean_rank: float
    low: float | None
    high: float | None
    win_rate: float


class Across(Record):
    """Methods by mean rank, best first, over the suites that all of them have a score on.

    `critical_difference`: mean ranks that differ by less are not told apart; `friedman_p`: of the test that all methods
    are equal. Both are None with fewer than 5 suites, which can tell nothing apart. `groups`: names of the largest sets
    of neighbours that are not told apart.
    """

    suites: tuple[str, ...]
    rows: tuple[AcrossMethod, ...]
    critical_difference: float | None
    friedman_p: float | None
    groups: tuple[tuple[str, ...], ...]


def compare_across(suites: Sequence[str], scores: Mapping[str, Sequence[float]]) -> Across:
    """Rank methods in every suite by macro F1, ties sharing their ranks, and average.

    Friedman's test and Nemenyi's critical difference, q(alpha, k) * sqrt(k (k + 1) / (6 N)): Demsar, "Statistical
    comparisons of classifiers over multiple data sets", JMLR 7 (2006). The interval of a mean rank
    (`rank_interval`) speaks of suites like these.

    Parameters: `suites`, N names; `scores`, for each of k >= 2 methods its N macro F1. Raises ValueError for fewer than
    two methods or suites, and for scores that are not one a suite.

    Example: compare_across(("a", "b"), {"lora": (0.9, 0.8), "tfidf": (0.7, 0.8)}).rows[0].mean_rank == 1.25
    """
    from scipy.stats import rankdata

    if len(scores) < 2 or len(suites) < 2 or any(len(each) != len(suites) for each in scores.values()):
        raise ValueError("at least two methods with a score on each of at least two suites are needed")
    table = np.asarray(list(scores.values()), dtype=np.float64)
    ranks = rankdata(-table, axis=0)
    compared = [_row(name, scores[name], ranks[at], len(scores)) for at, name in enumerate(scores)]
    compared.sort(key=lambda method: (method.mean_rank, method.name))
    tested = len(suites) >= FEWEST_SUITES_FOR_TEST
    apart = critical_difference(len(scores), len(suites)) if tested else None
    return Across(
        suites=tuple(suites),
        rows=tuple(compared),
        critical_difference=apart,
        friedman_p=_friedman_p(table) if tested else None,
        groups=_groups(compared, apart),
    )


def _row(name: str, scores: Sequence[float], ranks: np.ndarray, methods: int) -> AcrossMethod:
    mean = float(ranks.mean())
    low, high = rank_interval(ranks, methods) if len(ranks) >= FEWEST_SUITES_FOR_INTERVAL else (None, None)
    wins = (methods - mean) / (methods - 1)
    return AcrossMethod(name=name, scores=tuple(scores), mean_rank=mean, low=low, high=high, win_rate=wins)


def critical_difference(methods: int, suites: int) -> float:
    """The least difference of two mean ranks that Nemenyi's test tells apart at 5 %, over all pairs of methods."""
    from scipy.stats import studentized_range

    q = float(studentized_range.ppf(1 - SIGNIFICANT, methods, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * suites)))


def rank_interval(ranks: np.ndarray, methods: int) -> tuple[float, float]:
    """Student's 95 % interval of a mean rank over N suites, float (N,), as if one more suite had each end of the scale.

    Without these two a method that is first on every suite would have an interval of no width. How often it holds:
    benchmarks/mean_rank_interval.md.
    """
    with_ends = np.append(ranks, [1.0, methods])
    half = float(stdtrit(len(ranks) - 1, 0.975) * with_ends.std(ddof=1) / np.sqrt(len(ranks)))
    mean = float(with_ends.mean())
    own = float(ranks.mean())
    return max(1.0, min(own, mean - half)), min(float(methods), max(own, mean + half))


def _friedman_p(table: np.ndarray) -> float | None:
    """Iman and Davenport's F of Friedman's statistic, as Demsar recommends; two methods are tested by Nemenyi alone."""
    from scipy.stats import friedmanchisquare

    methods, suites = table.shape
    if methods < 3 or np.ptp(table, axis=0).max() == 0:
        return None
    chi2 = float(friedmanchisquare(*table).statistic)
    left = suites * (methods - 1) - chi2
    if left <= 0:
        return 0.0
    return float(fdtrc(methods - 1, (methods - 1) * (suites - 1), (suites - 1) * chi2 / left))


def _groups(methods: Sequence[AcrossMethod], apart: float | None) -> tuple[tuple[str, ...], ...]:
    """Runs of neighbours whose ends are not told apart, none inside another; all of them where nothing was tested."""
    if apart is None:
        return (tuple(method.name for method in methods),)
    found: list[tuple[str, ...]] = []
    end_before = 0
    for start, first in enumerate(methods):
        end = max(at for at, method in enumerate(methods) if method.mean_rank - first.mean_rank < apart) + 1
        if end > end_before and end - start > 1:
            found.append(tuple(method.name for method in methods[start:end]))
        end_before = max(end, end_before)
    return tuple(found)
