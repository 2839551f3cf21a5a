"""Compare training methods over their seeds: an interval with both spreads, that of the seeds and that of the items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from scipy import stats

from bench.quality.intervals import CONFIDENCE
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
    return tuple(
        each.model_copy(update={"p_adjusted": p}) for each, p in zip(found, adjusted, strict=True)
    )


def _compare(
    first: str, second: str, seeds: Sequence[Answers], other_seeds: Sequence[Answers], class_count: int
) -> MethodComparison:
    ids = seeds[0].ids
    for answers in (*seeds, *other_seeds):
        ids = np.intersect1d(ids, answers.ids)
    counts = (len(seeds), len(other_seeds))
    if not len(ids):
        nothing = Interval(value=0.0, low=-1.0, high=1.0)
        return MethodComparison(ahead=first, behind=second, seeds=counts, n=0, difference=nothing, p=1.0, p_adjusted=1.0)
    scored = [[_scored(answers, ids, class_count) for answers in method] for method in (seeds, other_seeds)]
    scores, influences = ([np.array([each[part] for each in method]) for method in scored] for part in (0, 1))
    difference = float(scores[0].mean() - scores[1].mean())
    item = float(((influences[0].mean(axis=0) - influences[1].mean(axis=0)) ** 2).sum())
    half, p = _judge(difference, item, [each.var(ddof=1) / len(each) for each in scores], counts)
    if difference < 0:
        first, second, counts = second, first, counts[::-1]
    value = abs(difference)
    interval = Interval(value=value, low=max(-1.0, value - half), high=min(1.0, value + half))
    return MethodComparison(
        ahead=first, behind=second, seeds=counts, n=len(ids), difference=interval, p=p, p_adjusted=p
    )


def _judge(difference: float, item: float, of_seeds: Sequence[float], counts: tuple[int, int]) -> tuple[float, float]:
    """Half the interval's width and the two-sided p: Student's t with Welch's degrees of freedom (1947).

    The variances of the items and of both methods' seeds add up; that of the items is known from many.
    """
    variance = item + sum(of_seeds)
    if variance == 0:
        return 0.0, 1.0 if difference == 0 else 0.0
    shaky = sum(part**2 / (count - 1) for part, count in zip(of_seeds, counts, strict=True))
    freedom = variance**2 / shaky if shaky else np.inf
    error = np.sqrt(variance)
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, freedom) * error
    return float(half), float(2 * stats.t.sf(abs(difference) / error, freedom))


def _scored(answers: Answers, ids: np.ndarray, class_count: int) -> tuple[float, np.ndarray]:
    """Macro F1 on the items, and how far each of them moves it (its influence; they sum to 0), float (n,)."""
    rows = np.searchsorted(answers.ids, ids, sorter=(order := np.argsort(answers.ids)))
    labels, predicted = answers.labels[order[rows]], answers.prediction.labels[order[rows]]
    texts = np.bincount(labels, minlength=class_count)
    total = texts + np.bincount(predicted[predicted >= 0], minlength=class_count)
    right = np.bincount(labels[predicted == labels], minlength=class_count)
    tested = texts > 0
    f1 = np.divide(2 * right, total, out=np.zeros(class_count), where=tested)
    share = np.divide(1.0, total, out=np.zeros(class_count), where=tested) / tested.sum()
    influence = 2 * share[labels] * (predicted == labels) - (f1 * share)[labels]
    influence -= np.where(predicted >= 0, (f1 * share)[predicted], 0.0)
    return macro_scores(labels, predicted, class_count).f1, influence
