"""Divide a plan's trainings and cells among shards: the same parts everywhere, of about equal expected time."""

from __future__ import annotations

import heapq
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.errors import UsageError
from bench.plan.work import Item

UNKNOWN_S = 60.0  # of a training or cell whose time nobody can tell


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of a run; `index` counts from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True)
class Piece:
    """A classifier of a shard: its training, which only one shard does, and the cells it measures of it."""

    task: str
    recipe: str
    seed: int
    engines: frozenset[str]
    first: bool
    expected_s: float


def parse_shard(text: str) -> Shard:
    """ "3/16"; raises UsageError."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard {text}: write which part of how many, 1/16 to 16/16")
    return Shard(int(found[1]), int(found[2]))


def divide(items: Sequence[Item], count: int) -> list[list[Piece]]:
    """Each shard's classifiers in the order in which it takes them; longest first to the shard with least to do.

    A classifier longer than a fair share is cut into several pieces; those that others wait for come first in their
    shard, those that wait last.
    """
    classifiers = [list(of_one) for _, of_one in groupby(items, key=lambda item: (item.task, item.recipe, item.seed))]
    fair_s = sum(map(_seconds, items)) / count
    pieces = [piece for of_one in classifiers for piece in _pieces(of_one, fair_s)]
    loads = [(0.0, shard) for shard in range(count)]
    parts: list[list[Piece]] = [[] for _ in range(count)]
    for piece in sorted(pieces, key=lambda piece: -piece.expected_s):
        load_s, shard = heapq.heappop(loads)
        parts[shard].append(piece)
        heapq.heappush(loads, (load_s + piece.expected_s, shard))
    cut = {(piece.task, piece.recipe, piece.seed) for piece in pieces if not piece.first}
    for part in parts:
        part.sort(key=lambda piece: (not piece.first, (piece.task, piece.recipe, piece.seed) not in cut))
    return parts


def _seconds(item: Item) -> float:
    return UNKNOWN_S if item.expected_s is None else item.expected_s


def _pieces(of_one: Sequence[Item], fair_s: float) -> list[Piece]:
    """A classifier whole, or its cells in turn, each piece filled until it has a fair share."""
    training, *cells = of_one
    made: list[Piece] = []
    engines: set[str] = set()
    spent_s = _seconds(training)
    for cell in cells:
        if engines and spent_s + _seconds(cell) > fair_s:
            made.append(_piece(training, engines, not made, spent_s))
            engines, spent_s = set(), 0.0
        engines.add(str(cell.engine))
        spent_s += _seconds(cell)
    return [*made, _piece(training, engines, not made, spent_s)]


def _piece(training: Item, engines: set[str], first: bool, expected_s: float) -> Piece:
    return Piece(training.task, training.recipe, training.seed, frozenset(engines), first, expected_s)
