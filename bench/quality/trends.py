"""Test whether figures of one run after another slide, and where they change: Mann-Kendall and Pettitt.

Both count signs of differences, so neither minds by how much a figure jumps. Mann (1945) and Kendall (1975) sum the
signs of all later minus earlier values: a trend. Pettitt (1979) takes the largest sum of signs between values before
and after a place: a change point. Their p-values are those of the order being chance: of all orders of up to
MOST_ENUMERATED values, of DRAWS seeded ones beyond, so that ties and few runs are judged rightly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

FEWEST = 5  # of 4 values in a row the smallest two-sided p is 2 / 24
MOST_ENUMERATED = 7
DRAWS = 10_000
_SEED = 0
_CHUNK = 1000


@dataclass(frozen=True)
class Trend:
    """Kendall's tau in [-1, 1], and the place of the first value after the change; both p-values two-sided."""

    tau: float
    trend_p: float
    change_at: int
    change_p: float


def trend_of(values: Sequence[float]) -> Trend | None:
    """Both tests on values in their order; None for fewer than FEWEST."""
    n = len(values)
    if n < FEWEST:
        return None
    seen = np.asarray(values, float)
    sums, changes = _statistics(seen[None])
    if n <= MOST_ENUMERATED:
        orders = np.array(list(permutations(range(n))))
    else:
        random = np.random.default_rng(_SEED)
        orders = np.array([random.permutation(n) for _ in range(DRAWS)])
    drawn = [_statistics(seen[orders[start : start + _CHUNK]]) for start in range(0, len(orders), _CHUNK)]
    drawn_sums = np.concatenate([each for each, _ in drawn])
    drawn_changes = np.concatenate([each.max(axis=1) for _, each in drawn])
    drawn_too = 0 if n <= MOST_ENUMERATED else 1  # the order seen is one of the possible ones
    trend_p = (int((np.abs(drawn_sums) >= abs(sums[0])).sum()) + drawn_too) / (len(orders) + drawn_too)
    change_p = (int((drawn_changes >= changes[0].max()).sum()) + drawn_too) / (len(orders) + drawn_too)
    return Trend(float(sums[0] / (n * (n - 1) / 2)), trend_p, int(changes[0].argmax()) + 1, change_p)


def _statistics(orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of values float (m, n): the sum of signs (m,), and the absolute one across each place to cut at (m, n - 1)."""
    n = orders.shape[1]
    signs = np.sign(orders[:, None, :] - orders[:, :, None])  # [i, j]: value j against value i
    sums = np.triu(signs, 1).sum(axis=(1, 2))
    changes = [np.abs(signs[:, :cut, cut:].sum(axis=(1, 2))) for cut in range(1, n)]
    return sums, np.stack(changes, axis=1)
