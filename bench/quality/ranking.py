"""Who is ahead of whom on the same test items, and who cannot be told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bench.machine.threads import usable_cores
from bench.quality.scores import confusion_matrix
from bench.quality.stats import holm, macro_scores, percentile_interval, resample, smallest_detectable_difference
from bench.results.records import Answers, Interval
from bench.types import Record

SIGNIFICANT = 0.05


class Comparison(Record):
    """A row against the first row of the rank group before or around it, on the n items both answered.

    `difference` is macro F1 ahead minus behind with a paired bootstrap interval; `p` is exact McNemar's, `p_adjusted`
    Holm's over all pairs of the leaderboard; `discordant_share` counts items that only one of the two has right.
    """

    ahead: str
    behind: str
    n: int
    difference: Interval
    p: float
    p_adjusted: float
    discordant_share: float


@dataclass(frozen=True)
class Ranking:
    """Rows best first by macro F1; rows that share a rank are not told apart from the first of them.

    `p_adjusted` float (m, m) is symmetric, in the order of `rows`. `smallest_difference` is what the tests behind
    `comparisons` could have seen with 80 % power, as a share; None for a single row.
    """

    rows: tuple[str, ...]
    ranks: Mapping[str, int]
    comparisons: tuple[Comparison, ...]
    p_adjusted: np.ndarray
    smallest_difference: float | None

    def p_value(self, first: str, second: str) -> float:
        """Holm-adjusted p of the paired test between two rows."""
        return float(self.p_adjusted[self.rows.index(first), self.rows.index(second)])

    def apart(self, first: str, second: str) -> bool:
        """Whether the test tells the two rows apart."""
        return self.p_value(first, second) < SIGNIFICANT


def rank(answers: Mapping[str, Answers], class_count: int, seed: int = 0) -> Ranking:
    """Rank rows by macro F1 with shared ranks.

    Going down the rows, each is tested against the first row of the current rank group (exact McNemar, Holm over all
    pairs); one that differs opens the next group, whose rank is its position. Rows answered on different subsets are
    compared on the items both have.
    """
    scores = {name: _macro_f1(each, class_count) for name, each in answers.items()}
    rows = tuple(sorted(answers, key=lambda name: -scores[name]))
    ordered = [answers[name] for name in rows]
    only_row, shared = _discordant_counts(ordered)
    p = _mcnemar_matrix(only_row)
    adjusted = _holm_matrix(p)
    ranks: dict[str, int] = {}
    pairs = []
    head = 0
    for position, name in enumerate(rows):
        if position:
            pairs.append((head, position))
        if adjusted[head, position] < SIGNIFICANT:
            head = position
        ranks[name] = head + 1

    tables = [_joint_table(ordered[head], ordered[behind], class_count) for head, behind in pairs]
    different = list(dict.fromkeys(tables))  # engines that give the same labels share one
    with ThreadPoolExecutor(usable_cores()) as pool:  # numpy draws its samples outside the interpreter's lock
        found = pool.map(lambda table: _bootstrapped(table, class_count, seed), different)
    differences = dict(zip(different, found, strict=True))
    comparisons = tuple(
        _compare(rows, pair, only_row, shared, p, adjusted, differences[table])
        for pair, table in zip(pairs, tables, strict=True)
    )
    return Ranking(rows, ranks, comparisons, adjusted, _smallest_difference(comparisons))


def _macro_f1(answers: Answers, class_count: int) -> float:
    return float(macro_scores(confusion_matrix(answers.labels, answers.prediction.labels, class_count))[2])


def _discordant_counts(ordered: Sequence[Answers]) -> tuple[np.ndarray, np.ndarray]:
    """Items only the first of two rows has right, and items both answered; each int (m, m)."""
    ids = np.unique(np.concatenate([each.ids for each in ordered]))
    right = np.zeros((len(ordered), len(ids)), dtype=np.float32)
    answered = np.zeros_like(right)
    for row, each in enumerate(ordered):
        columns = np.searchsorted(ids, each.ids)
        answered[row, columns] = 1
        right[row, columns] = each.prediction.labels == each.labels
    wrong = answered - right
    return np.rint(right @ wrong.T).astype(int), np.rint(answered @ answered.T).astype(int)


def _mcnemar_matrix(only_row: np.ndarray) -> np.ndarray:
    """Exact two-sided p of all pairs at once; at probability 1/2 both tails are equal."""
    discordant = only_row + only_row.T
    return np.minimum(1.0, 2 * stats.binom.cdf(np.minimum(only_row, only_row.T), discordant, 0.5))


def _holm_matrix(p: np.ndarray) -> np.ndarray:
    adjusted = np.ones_like(p)
    upper = np.triu_indices(len(p), k=1)
    adjusted[upper] = holm(p[upper].tolist())
    return np.minimum(adjusted, adjusted.T)


def _compare(
    rows: Sequence[str],
    pair: tuple[int, int],
    only_row: np.ndarray,
    shared: np.ndarray,
    p: np.ndarray,
    adjusted: np.ndarray,
    difference: Interval,
) -> Comparison:
    head, position = pair
    n = int(shared[pair])
    discordant = int(only_row[head, position] + only_row[position, head])
    return Comparison(
        ahead=rows[head],
        behind=rows[position],
        n=n,
        difference=difference,
        p=float(p[pair]),
        p_adjusted=float(adjusted[pair]),
        discordant_share=discordant / n if n else 0.0,
    )


def paired_difference(first: Answers, second: Answers, class_count: int, seed: int = 0) -> Interval:
    """Macro F1 of the first minus the second on their common items, with a seeded paired bootstrap 95 % interval."""
    return _bootstrapped(_joint_table(first, second, class_count), class_count, seed)


def _joint_table(first: Answers, second: Answers, class_count: int) -> tuple[tuple[int, int], ...]:
    """The filled cells of the table true x first's answer x second's on the items both answered: (cell, count)."""
    _, rows, other_rows = np.intersect1d(first.ids, second.ids, assume_unique=True, return_indices=True)
    truth, predicted, other = (first.labels[rows], first.prediction.labels[rows], second.prediction.labels[other_rows])
    predicted, other = (np.where(labels < 0, class_count, labels) for labels in (predicted, other))  # names no class
    cells, counts = np.unique(np.ravel_multi_index((truth, predicted, other), _shape(class_count)), return_counts=True)
    return tuple(zip(cells.tolist(), counts.tolist(), strict=True))


def _shape(class_count: int) -> tuple[int, int, int]:
    return class_count, class_count + 1, class_count + 1


def _bootstrapped(table: tuple[tuple[int, int], ...], class_count: int, seed: int) -> Interval:
    if not table:
        return Interval(value=0.0, low=-1.0, high=1.0)
    cells, counts = np.array(table).T
    joint = np.stack(np.unravel_index(cells, _shape(class_count)))
    value = _difference(joint, counts[None], class_count)[0]
    return percentile_interval(float(value), _difference(joint, resample(counts, seed), class_count))


def _difference(joint: np.ndarray, counts: np.ndarray, class_count: int) -> np.ndarray:
    """Difference of macro F1, float (s,), for counts int (s, c) of the joint cells int (3, c): true, first, second."""
    truth, predicted, other = joint
    return _macro_f1_of(truth, predicted, counts, class_count) - _macro_f1_of(truth, other, counts, class_count)


def _macro_f1_of(truth: np.ndarray, predicted: np.ndarray, counts: np.ndarray, class_count: int) -> np.ndarray:
    classes = np.arange(class_count)
    of_class, as_class = (labels[:, None] == classes for labels in (truth, predicted))
    counts, of_class, as_class = (each.astype(float) for each in (counts, of_class, as_class))  # whole, and exact
    right = counts @ (of_class * as_class)
    total = counts @ of_class + counts @ as_class
    return np.divide(2 * right, total, out=np.zeros(right.shape), where=total > 0).mean(axis=1)


def _smallest_difference(comparisons: Sequence[Comparison]) -> float | None:
    detectable = [smallest_detectable_difference(each.discordant_share, each.n) for each in comparisons if each.n]
    return float(np.median(detectable)) if detectable else None
