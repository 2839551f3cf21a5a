"""Rows that no other row beats in both quality and speed."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Positions of the points (x, y) that no other point reaches in x and y and passes in one, by falling x.

    More is better in both; of equal points the first stands for all.
    """
    order = sorted(range(len(points)), key=lambda position: (-points[position][0], -points[position][1], position))
    front: list[int] = []
    best = float("-inf")
    for position in order:
        if points[position][1] > best:
            front.append(position)
            best = points[position][1]
    return front
