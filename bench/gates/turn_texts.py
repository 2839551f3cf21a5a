"""Draws the texts of the speed gate's turns: fresh ones each turn, of all lengths in every turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

GOLDEN = (5**0.5 - 1) / 2  # its multiples, modulo 1, are spread evenly however many are taken


class TurnTexts:
    """A plan of turns over texts of these lengths, `count` texts a turn (fewer where there are fewer), seeded.

    The texts, in the order of their lengths, are cut into as many layers as a turn has texts, and a turn takes one of
    each layer. Within a layer they come in an order that reaches the short and the long ones alike from the first
    turns on; none comes again before all of its layer were asked.
    """

    def __init__(self, lengths: Sequence[int], count: int, seed: int) -> None:
        by_length = np.argsort(np.asarray(lengths), kind="stable")
        generator = np.random.default_rng(seed)
        layers = np.array_split(by_length, min(count, len(by_length)))
        self._layers = [layer[_spread_order(len(layer), generator.random())] for layer in layers]

    def draw(self, turn: int) -> tuple[int, ...]:
        """The places of a turn's texts, in no order of length; turn counts from 0."""
        return tuple(int(layer[turn % len(layer)]) for layer in self._layers)


def _spread_order(size: int, start: float) -> np.ndarray:
    """A permutation int (size,) whose every beginning is spread evenly over the places."""
    points = (start + GOLDEN * np.arange(size)) % 1
    order = np.empty(size, dtype=int)
    order[np.argsort(points, kind="stable")] = np.arange(size)
    return order
