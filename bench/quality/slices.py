"""Compare how well slices of the test texts are answered, so that a weak one does not hide behind the mean.

A slice's accuracy has Wilson's interval. The weakest of several slices is weak by chance too: Fisher's exact test
compares each with all other texts, by Holm over the slices of a classifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.quality.stats import holm, wilson
from bench.results.records import Interval

FEWEST_TEXTS = 20
QUARTERS = ("shortest quarter", "second quarter", "third quarter", "longest quarter")


@dataclass(frozen=True)
class Slice:
    """Texts of a kind and the share of them answered right; p against all other texts, adjusted, two-sided."""

    name: str
    n: int
    accuracy: Interval
    p: float


def slices_of(right: np.ndarray, parts: Mapping[str, np.ndarray]) -> list[Slice]:
    """bool (n,) right answers, and bool (n,) of each slice by its name; slices of few or of all texts are left out."""
    kept = {name: part for name, part in parts.items() if FEWEST_TEXTS <= part.sum() < len(part)}
    tests = [_fisher(right, part) for part in kept.values()]
    return [
        Slice(name, int(part.sum()), wilson(int(right[part].sum()), int(part.sum())), p)
        for (name, part), p in zip(kept.items(), holm(tests), strict=True)
    ]


def _fisher(right: np.ndarray, part: np.ndarray) -> float:
    from scipy.stats import fisher_exact

    inside, outside = int(right[part].sum()), int(right[~part].sum())
    table = [[inside, int(part.sum()) - inside], [outside, int((~part).sum()) - outside]]
    return float(fisher_exact(table).pvalue)


def weakest(slices: list[Slice]) -> Slice | None:
    """The slice of the lowest accuracy."""
    return min(slices, key=lambda each: each.accuracy.value, default=None)


def length_quarters(lengths: np.ndarray) -> dict[str, np.ndarray]:
    """Which texts belong to each quarter by length int (n,); equal lengths stay together."""
    ends = np.quantile(lengths, [0.25, 0.5, 0.75])
    quarter = np.searchsorted(ends, lengths, side="left")
    parts = {name: quarter == at for at, name in enumerate(QUARTERS)}
    return {name: part for name, part in parts.items() if part.any()}
