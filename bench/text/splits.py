"""Draws seeded, stratified cuts and subsets; a smaller subset is always a prefix of a larger one."""

from __future__ import annotations

import numpy as np

DATA_SEED = 20250101


def stratified_order(labels: np.ndarray, seed: int = DATA_SEED) -> np.ndarray:
    """A permutation int64 (n,) of which every prefix holds the classes in their shares.

    labels int64 (n,). The first k positions are one of each of the k classes, so any prefix of at least k covers
    them all; later a class's share in a prefix is off by at most about one item. RandomState, because its stream is
    frozen by numpy's own promise: the same subset on every version.
    """
    random = np.random.RandomState(seed)
    keys = np.empty(len(labels), dtype=np.float64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        ranks = random.permutation(len(rows)).astype(np.float64)
        within = np.where(ranks == 0, 0.0, random.random_sample(len(rows)))
        keys[rows] = (ranks + within) / len(rows)
    return np.lexsort((random.permutation(len(labels)), keys)).astype(np.int64)


def cut_stratified(labels: np.ndarray, share: float, seed: int = DATA_SEED) -> tuple[np.ndarray, np.ndarray]:
    """Rows kept and rows cut, both int64 and ascending: `share` of each class, at least one, never all of a class."""
    random = np.random.RandomState(seed)
    cut = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        cut[random.permutation(rows)[:count]] = True
    return np.flatnonzero(~cut), np.flatnonzero(cut)
