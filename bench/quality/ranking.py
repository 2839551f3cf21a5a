"""Ranks classifiers on the test items they have in common, and says who cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import ndtri

from bench.machine.threads import usable_cores
from bench.quality.differences import macro_f1_difference
from bench.quality.intervals import items_needed
from bench.quality.letters import letter_display
from bench.quality.randomisation import Paired, Randomised, randomisation_test
from bench.quality.stats import holm, mcnemar
from bench.results.records import Answers, Interval
from bench.types import Record

SIGNIFICANT = 0.05
POWER = 0.8
_FIRST_DRAWS, _DRAWS = 500, 4000


class Comparison(Record):
    """Two classifiers on the n items both answered, the better one ahead.

    `difference` is macro F1 ahead minus behind; `p` that of the paired randomisation test of macro F1, `p_adjusted`
    Holm's over all pairs of classifiers; `accuracy_p` exact McNemar's; `discordant_share` counts items that only one of
    the two has right; `smallest_difference` is what the test finds in 80 % of such tables.
    """

    ahead: str
    behind: str
    n: int
    difference: Interval
    p: float
    p_adjusted: float
    accuracy_p: float
    discordant_share: float
    smallest_difference: float | None

    @property
    def apart(self) -> bool:
        """Whether the one ahead is better by more than chance."""
        return self.p_adjusted < SIGNIFICANT


@dataclass(frozen=True)
class Ranking:
    """Rows best first. An engine that keeps its classifier's answers has that classifier's place (`stands_for`).

    A row's rank lies between `ranks` (one more than the classifiers that are better) and `last_ranks` (all but those
    that are worse). Classifiers that have one of their `letters` in common are not told apart. `smallest_difference`
    is what the table could have seen: the median over the pairs of classifiers; None for a single one.
    """

    rows: tuple[str, ...]
    stands_for: Mapping[str, str]
    ranks: Mapping[str, int]
    last_ranks: Mapping[str, int]
    letters: Mapping[str, str]
    comparisons: tuple[Comparison, ...]
    smallest_difference: float | None

    def comparison(self, first: str, second: str) -> Comparison | None:
        """The test between the classifiers of two rows; None where it is one classifier."""
        names = {self.stands_for[first], self.stands_for[second]}
        return next((each for each in self.comparisons if {each.ahead, each.behind} == names), None)

    def p_value(self, first: str, second: str) -> float:
        """Holm-adjusted p of the paired test between two rows' classifiers."""
        comparison = self.comparison(first, second)
        return comparison.p_adjusted if comparison else 1.0

    def apart(self, first: str, second: str) -> bool:
        """Whether the test tells the two rows apart."""
        return self.p_value(first, second) < SIGNIFICANT

    def better(self, first: str, second: str) -> bool:
        """Whether the first is better than the second by more than chance."""
        comparison = self.comparison(first, second)
        return comparison is not None and comparison.apart and comparison.ahead == self.stands_for[first]


def rank(answers: Mapping[str, Answers], class_count: int, stands_for: Mapping[str, str] | None = None) -> Ranking:
    """Rank classifiers by macro F1: a paired randomisation test of each pair on common items, Holm over the pairs.

    `stands_for` names for a row the row that speaks for its classifier; a row that it leaves out speaks for itself.
    The order is by how many are better, then by the mean difference to the others on common items.
    """
    speakers = {name: (stands_for or {}).get(name, name) for name in answers}
    names = list(dict.fromkeys(speakers.values()))
    comparisons = _compare_all({name: answers[name] for name in names}, class_count)
    better, worse = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    lead: dict[str, list[float]] = {name: [] for name in names}
    for each in comparisons:
        better[each.behind] += each.apart
        worse[each.ahead] += each.apart
        if each.n:
            lead[each.ahead].append(each.difference.value)
            lead[each.behind].append(-each.difference.value)
    ordered = sorted(names, key=lambda name: (better[name], -float(np.mean(lead[name] or [0.0]))))
    letters = letter_display(ordered, [(each.ahead, each.behind) for each in comparisons if each.apart])
    rows = sorted(answers, key=lambda name: (ordered.index(speakers[name]), name != speakers[name]))
    detectable = [each.smallest_difference for each in comparisons if each.smallest_difference is not None]
    return Ranking(
        rows=tuple(rows),
        stands_for=speakers,
        ranks={name: better[speakers[name]] + 1 for name in answers},
        last_ranks={name: len(names) - worse[speakers[name]] for name in answers},
        letters={name: letters[speakers[name]] for name in answers},
        comparisons=tuple(
            sorted(comparisons, key=lambda each: (ordered.index(each.behind), ordered.index(each.ahead)))
        ),
        smallest_difference=float(np.median(detectable)) if detectable else None,
    )


def _compare_all(answers: Mapping[str, Answers], class_count: int) -> list[Comparison]:
    pairs = list(combinations(answers, 2))
    paired = [pair_up(answers[first], answers[second]) for first, second in pairs]
    with ThreadPoolExecutor(usable_cores()) as pool:  # numpy draws outside the interpreter's lock
        found = list(pool.map(lambda each: _test(each, class_count, len(pairs)), paired))
    adjusted = holm([test.p for test in found])
    return [
        _comparison(pair, each, test, p_adjusted, class_count, len(pairs))
        for pair, each, test, p_adjusted in zip(pairs, paired, found, adjusted, strict=True)
    ]


def pair_up(first: Answers, second: Answers) -> Paired:
    """The items that both answered."""
    _, rows, other_rows = np.intersect1d(first.ids, second.ids, assume_unique=True, return_indices=True)
    return Paired(first.labels[rows], first.prediction.labels[rows], second.prediction.labels[other_rows])


def _test(paired: Paired, class_count: int, pairs: int) -> Randomised:
    """With few draws, and again with many where more exactness may decide."""
    test = randomisation_test(paired, class_count, draws=_FIRST_DRAWS)
    close = SIGNIFICANT / (2 * pairs) < test.p < 2 * SIGNIFICANT
    return randomisation_test(paired, class_count, draws=_DRAWS) if close else test


def _comparison(
    pair: tuple[str, str], paired: Paired, test: Randomised, p_adjusted: float, class_count: int, pairs: int
) -> Comparison:
    right, other_right = paired.first == paired.truth, paired.second == paired.truth
    lost, won = int((right & ~other_right).sum()), int((~right & other_right).sum())
    ahead, behind = pair if test.difference >= 0 else pair[::-1]
    ordered = paired if test.difference >= 0 else Paired(paired.truth, paired.second, paired.first)
    return Comparison(
        ahead=ahead,
        behind=behind,
        n=test.n,
        difference=_difference(ordered, class_count),
        p=test.p,
        p_adjusted=p_adjusted,
        accuracy_p=mcnemar(lost, won),
        discordant_share=(lost + won) / test.n if test.n else 0.0,
        smallest_difference=smallest_detectable_difference(test, paired, class_count, pairs) if test.n else None,
    )


def paired_difference(first: Answers, second: Answers, class_count: int) -> Interval:
    """Macro F1 of the first minus the second on their common items, with a 95 % interval."""
    return _difference(pair_up(first, second), class_count)


def _difference(paired: Paired, class_count: int) -> Interval:
    if not len(paired):
        return Interval(value=0.0, low=-1.0, high=1.0)
    found = macro_f1_difference(paired.truth, paired.second, paired.first, class_count)
    needed = items_needed(np.bincount(paired.truth, minlength=class_count))
    return found if needed is None else Interval(value=found.value, low=-1.0, high=1.0, items_needed=needed)


def item_variance(paired: Paired, class_count: int) -> float:
    """The mean squared weight of one item that one classifier has right and the other wrong.

    Such an item of a class with t texts moves macro F1 over k classes by about 1 / (t * k).
    """
    texts = np.bincount(paired.truth, minlength=class_count)
    texts = texts[texts > 0]
    return float((texts / texts.sum() / (texts * len(texts)) ** 2).sum())


def smallest_detectable_difference(test: Randomised, paired: Paired, class_count: int, pairs: int = 1) -> float:
    """The difference in macro F1 that the test finds with 80 % power at p = 0.05 over all pairs, as a share.

    (z(1 - 0.05 / pairs / 2) + z(0.8)) standard deviations of the difference under exchange (Connor 1987 for shares);
    where no answers differ, one discordant item's worth is assumed.
    """
    reach = ndtri(1 - SIGNIFICANT / pairs / 2) + ndtri(POWER)
    return float(reach * max(test.spread, float(np.sqrt(item_variance(paired, class_count)))))
