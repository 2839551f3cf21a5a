"""Tests by randomisation whether two classifiers have the same macro F1 on the same texts.

Where they are equally good, it is chance which of the two gave which of a text's two answers (Yeh 2000): every text's
answers are exchanged or not, and the share of exchanges whose difference is at least the one seen is the p-value. The
draws are tilted towards the difference seen and weighted back (importance sampling with the exponential tilt of
Robinson 1982), so that a p of 1e-9 takes no more of them than one of 0.05.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import brentq
from scipy.special import expit, logsumexp

DRAWS = 4000
MOST_ENUMERATED = 12  # 2 ** 12 exchanges are fewer than the draws
_STEEPEST = 60.0
_MOST_BYTES = 64_000_000


@dataclass(frozen=True)
class Paired:
    """The common items of two classifiers: true labels and both answers, each int64 (n,); -1 names no class."""

    truth: np.ndarray
    first: np.ndarray
    second: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True)
class Randomised:
    """Macro F1 of the first minus the second on n items; p two-sided.

    `spread` is the difference's standard deviation under exchange: what it is by chance alone; `most` is the difference
    if every text on which the two differ spoke for the same one.
    """

    difference: float
    p: float
    spread: float
    most: float
    n: int


def randomisation_test(paired: Paired, class_count: int, seed: int = 0, draws: int = DRAWS) -> Randomised:
    """The paired randomisation test of macro F1 over the classes that have a text among the items."""
    if not len(paired):
        return Randomised(difference=0.0, p=1.0, spread=0.0, most=0.0, n=0)
    exchange = _Exchange(paired, class_count)
    none = np.zeros((1, len(exchange.counts)), dtype=np.float32)
    difference = float(exchange.differences(none)[0])
    p = exchange.p_value(difference, np.random.default_rng(seed), draws)
    return Randomised(difference, p, exchange.spread, exchange.most, len(paired))


class _Exchange:
    """Differences of macro F1 under exchanged answers, from the counts that an exchange moves.

    Items with the same label and the same two answers are one cell; `counts` float (cells,) says how many there are.
    """

    def __init__(self, paired: Paired, class_count: int) -> None:
        truth, first, second, self.counts = _cells(paired, class_count)
        self.items = int(self.counts.sum())
        self._support = _counts(paired.truth, class_count)
        self._right = [
            _counts(paired.truth[paired.truth == answer], class_count) for answer in (paired.first, paired.second)
        ]
        self._predicted = [_counts(answer, class_count) for answer in (paired.first, paired.second)]
        # what exchanging an item adds to the first's right answers and predictions of each class, and takes the second
        self._right_moves = _moves(truth, (second == truth) * 1.0 - (first == truth), class_count)
        self._predicted_moves = _moves(second, 1.0, class_count) - _moves(first, 1.0, class_count)
        self._weights = self._linear_weights()
        self.spread = float(np.sqrt(self.counts @ self._weights**2))
        self.most = float(self.counts @ np.abs(self._weights))

    def differences(self, exchanged: np.ndarray) -> np.ndarray:
        """Macro F1 of the first minus the second, float (s,), for how many of each cell are exchanged, (s, cells)."""
        right = (self._right_moves @ exchanged.T).T
        predicted = (self._predicted_moves @ exchanged.T).T
        first = self._macro_f1(self._right[0] + right, self._predicted[0] + predicted)
        second = self._macro_f1(self._right[1] - right, self._predicted[1] - predicted)
        return np.round(first - second, 12)  # equal differences must compare as equal

    def _macro_f1(self, right: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        tested = self._support > 0
        return (2 * right[:, tested] / (predicted[:, tested] + self._support[tested])).mean(axis=1)

    def _linear_weights(self) -> np.ndarray:
        """Half the change of the difference when one item of a cell is exchanged, seen from the middle; (cells,)."""
        right = (self._right[0] + self._right[1]) / 2
        total = (self._predicted[0] + self._predicted[1]) / 2 + self._support
        tested = self._support > 0
        by_right, by_predicted = np.zeros(len(total)), np.zeros(len(total))
        by_right[tested] = 2 / total[tested] / tested.sum()
        by_predicted[tested] = -2 * right[tested] / total[tested] ** 2 / tested.sum()
        return -(by_right @ self._right_moves + by_predicted @ self._predicted_moves)

    def p_value(self, difference: float, random: np.random.Generator, draws: int) -> float:
        if difference == 0 or not self.items:
            return 1.0
        if self.items <= MOST_ENUMERATED:
            exchanges = np.indices((2,) * self.items, dtype=np.float32).reshape(self.items, -1).T
            return float(min(1.0, 2 * (np.sign(difference) * self.differences(exchanges) >= abs(difference)).mean()))
        return self._draw_p(difference, random, draws)

    def _draw_p(self, difference: float, random: np.random.Generator, draws: int) -> float:
        """Twice the tail: exchanging all items turns the difference round, so that both tails are equal."""
        sign, weights = np.sign(difference), self._weights * np.sign(difference)
        steepness = _tilt(weights, self.counts, abs(difference))
        moving = expit(-2 * steepness * weights)  # probability that an item is exchanged
        generating = self.counts @ (np.logaddexp(steepness * weights, -steepness * weights) - np.log(2))
        logs = []
        step = max(1, _MOST_BYTES // (4 * len(weights)))
        for start in range(0, draws, step):
            exchanged = self._draw(random, min(step, draws - start), moving)
            reached = sign * self.differences(exchanged) >= abs(difference)
            logs.append(generating - steepness * ((self.counts - 2 * exchanged[reached]) @ weights))
        found = np.concatenate(logs)
        tail = np.exp(logsumexp(found) - np.log(draws)) if len(found) else 0.0
        return float(min(1.0, max(2 * tail, 2.0 ** (1 - min(self.items, 1000)))))

    def _draw(self, random: np.random.Generator, draws: int, moving: np.ndarray) -> np.ndarray:
        """How many of each cell are exchanged, float32 (draws, cells)."""
        single = self.counts == 1
        exchanged = np.empty((draws, len(moving)), dtype=np.float32)
        exchanged[:, single] = random.random((draws, int(single.sum())), dtype=np.float32) < moving[single]
        several = self.counts[~single].astype(np.int64)
        exchanged[:, ~single] = random.binomial(several, moving[~single], (draws, len(several)))
        return exchanged


def _cells(paired: Paired, class_count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Label, both answers and number of the items that differ; where they are few, one by one."""
    moved = np.flatnonzero(paired.first != paired.second)
    truth, first, second = (part[moved] for part in (paired.truth, paired.first, paired.second))
    if len(moved) <= MOST_ENUMERATED:
        return truth, first, second, np.ones(len(moved))
    answers = class_count + 1  # with "no class"
    _, rows, counts = np.unique(
        (truth * answers + first + 1) * answers + second + 1, return_index=True, return_counts=True
    )
    return truth[rows], first[rows], second[rows], counts.astype(float)


def _tilt(weights: np.ndarray, counts: np.ndarray, difference: float) -> float:
    """The steepness under which the exchanges give the difference on average; as steep as numbers bear where none does.

    The mean under steepness t is the sum of w * tanh(t * w) over the items.
    """
    scale = float(np.abs(weights).max())
    if scale == 0:
        return 0.0
    most = _STEEPEST / scale

    def short(steepness: float) -> float:
        return float(counts @ (weights * np.tanh(steepness * weights))) - difference

    return most / _STEEPEST if short(most) <= 0 else float(brentq(short, 0.0, most))


def _counts(labels: np.ndarray, class_count: int) -> np.ndarray:
    return np.bincount(labels[labels >= 0], minlength=class_count).astype(float)


def _moves(labels: np.ndarray, amounts: np.ndarray | float, class_count: int) -> sparse.csr_matrix:
    """A column an item: `amount` in the row of its label; nothing where the answer names no class."""
    named = np.flatnonzero(labels >= 0)
    values = np.broadcast_to(amounts, labels.shape)[named].astype(np.float64)
    return sparse.csr_matrix((values, (labels[named], named)), shape=(class_count, len(labels)))
