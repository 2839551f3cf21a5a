"""Compares training methods over their seeds: an interval with the spread of the seeds and that of the items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy.special import stdtr, stdtrit

from bench.quality.differences import CONFIDENCE, ItemValues, lower_bound, macro_f1_values, upper_bound
from bench.quality.intervals import items_needed
from bench.quality.ranking import SIGNIFICANT
from bench.quality.scores import macro_scores
from bench.quality.stats import holm
from bench.results.records import Answers, Interval
from bench.types import Record


class MethodComparison(Record):
    """Two methods, each trained with several seeds, on the n items that all of them answered; the better one ahead.

    `difference` is the mean macro F1 of the seeds ahead minus that behind; `p_adjusted` is Holm's over the pairs of
    methods.
    """

    ahead: str
    behind: str
    seeds: tuple[int, int]
    n: int
    difference: Interval
    p: float
    p_adjusted: float

    @property
    def apart(self) -> bool:
        """Whether the method ahead is better by more than chance, of seeds and of items."""
        return self.p_adjusted < SIGNIFICANT


def compare_methods(seeds_of: Mapping[str, Sequence[Answers]], class_count: int) -> tuple[MethodComparison, ...]:
    """All pairs of methods, each with the answers of its seeds (2 at least)."""
    pairs = list(combinations(seeds_of, 2))
    found = [_compare(first, second, seeds_of[first], seeds_of[second], class_count) for first, second in pairs]
    adjusted = holm([each.p for each in found])
    return tuple(each.model_copy(update={"p_adjusted": p}) for each, p in zip(found, adjusted, strict=True))


def _compare(
    first: str, second: str, seeds: Sequence[Answers], other_seeds: Sequence[Answers], class_count: int
) -> MethodComparison:
    ids = seeds[0].ids
    for answers in (*seeds, *other_seeds):
        ids = np.intersect1d(ids, answers.ids)
    counts = (len(seeds), len(other_seeds))
    if not len(ids):
        nothing = Interval(value=0.0, low=-1.0, high=1.0)
        return MethodComparison(
            ahead=first, behind=second, seeds=counts, n=0, difference=nothing, p=1.0, p_adjusted=1.0
        )
    labels, given, other_given = _on(ids, seeds, other_seeds)
    scores = [
        np.array([macro_scores(labels, each, class_count).f1 for each in method]) for method in (given, other_given)
    ]
    difference = float(scores[0].mean() - scores[1].mean())
    items = macro_f1_values(labels, other_given, given, class_count)
    half, p = _judge(difference, items, [each.var(ddof=1) / len(each) for each in scores], counts)
    if difference < 0:
        first, second, counts = second, first, counts[::-1]
    interval = _interval(difference, items, half, items_needed(np.bincount(labels, minlength=class_count)))
    return MethodComparison(
        ahead=first, behind=second, seeds=counts, n=len(ids), difference=interval, p=p, p_adjusted=p
    )


def _interval(difference: float, items: ItemValues, half: float, needed: int | None) -> Interval:
    """At least as wide as the texts' own score interval, which a few texts that all agree do not narrow to nothing."""
    value = abs(difference)
    if needed is not None:
        return Interval(value=value, low=-1.0, high=1.0, items_needed=needed)
    ends = sorted(np.sign(difference or 1.0) * bound for bound in (lower_bound(items), upper_bound(items)))
    return Interval(value=value, low=max(-1.0, min(value - half, ends[0])), high=min(1.0, max(value + half, ends[1])))


def _judge(
    difference: float, items: ItemValues, of_seeds: Sequence[float], counts: tuple[int, int]
) -> tuple[float, float]:
    """Half the interval's width and the two-sided p: Student's t with Welch's degrees of freedom (1947).

    The variances of the items and of both methods' seeds add up; that of the items is known from many. It is taken as
    under no difference, around 0, where texts that all speak for one method still vary; and no p is below that of an
    exact sign test whose texts all agree.
    """
    item = float(items.counts @ items.values**2) / items.n**2
    variance = item + sum(of_seeds)
    if variance == 0:
        return 0.0, 1.0
    least_p = 2.0 ** (1 - min(float(items.counts[items.values != 0].sum()), 1000.0))
    shaky = sum(part**2 / (count - 1) for part, count in zip(of_seeds, counts, strict=True))
    freedom = variance**2 / shaky if shaky else np.inf
    error = np.sqrt(variance)
    half = stdtrit(freedom, 0.5 + CONFIDENCE / 2) * error
    return float(half), min(1.0, max(least_p, float(2 * stdtr(freedom, -abs(difference) / error))))


def _on(
    ids: np.ndarray, seeds: Sequence[Answers], other_seeds: Sequence[Answers]
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """True labels and every seed's answers to the items of these ids."""

    def rows(answers: Answers) -> np.ndarray:
        order = np.argsort(answers.ids)
        return order[np.searchsorted(answers.ids, ids, sorter=order)]

    first, second = ([each.prediction.labels[rows(each)] for each in method] for method in (seeds, other_seeds))
    return seeds[0].labels[rows(seeds[0])], first, second
