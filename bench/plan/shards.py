"""Divides a plan's trainings and cells among shards: the same parts everywhere, of about equal expected time."""

from __future__ import annotations

import heapq
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.errors import UsageError
from bench.plan.work import Item

SMALL = 0.1  # of a fair share: a piece of a cut classifier that another shard measures
UNKNOWN_S = 60.0  # of a training or cell whose time nobody can tell


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of a run; `index` counts from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True)
class Turns:
    """How the workers of one launch divide a run: each takes the next piece, of those that `count` workers need.

    token: tells this launch from others; name: this worker, to people.
    """

    token: str
    count: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Piece:
    """A classifier of a shard, its task, recipe and seed, and the engines by which the shard measures it.

    first: whether this shard trains it, in fit_s of the expected_s seconds.
    """

    classifier: tuple[str, str, int]
    engines: frozenset[str]
    first: bool
    expected_s: float
    fit_s: float


def parse_shard(text: str) -> Shard:
    """ "3/16"; raises UsageError."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard {text}: write which part of how many, 1/16 to 16/16")
    return Shard(int(found[1]), int(found[2]))


def queue(items: Sequence[Item], count: int) -> list[Piece]:
    """The pieces in the order in which `count` workers take them: trainings first, and of these the longest."""
    classifiers = [list(of_one) for _, of_one in groupby(items, key=lambda item: (item.task, item.recipe, item.seed))]
    fair_s = sum(map(_seconds, items)) / count
    pieces = [piece for of_one in classifiers for piece in _pieces(of_one, fair_s)]
    return sorted(pieces, key=lambda piece: (not piece.first, -piece.expected_s))


def divide(items: Sequence[Item], count: int) -> list[list[Piece]]:
    """Each shard's classifiers in the order in which it takes them; longest first to the shard with least to do.

    A classifier longer than a fair share is cut: one shard trains it and does the most of it, others do the rest in
    small pieces after their own trainings, those first whose training is over first.
    """
    pieces = queue(items, count)
    cut = {piece.classifier for piece in pieces if not piece.first}
    parts: list[list[Piece]] = [[] for _ in range(count)]
    busy_s = [0.0] * count
    for piece in (piece for piece in pieces if piece.first):
        shard = min(range(count), key=busy_s.__getitem__)
        parts[shard].append(piece)
        busy_s[shard] += piece.expected_s
    for part in parts:
        part.sort(key=lambda piece: (piece.classifier not in cut, piece.fit_s))
    _add_waiting(parts, busy_s, [piece for piece in pieces if not piece.first])
    return parts


def _add_waiting(parts: list[list[Piece]], busy_s: Sequence[float], pieces: Sequence[Piece]) -> None:
    """Whichever shard is free first takes the longest piece whose training is over, else that whose will be first."""
    trained_s = _trained_s(parts)
    waiting = deque(sorted(pieces, key=lambda piece: trained_s[piece.classifier]))
    ready: list[tuple[float, int, Piece]] = []
    shards = [(now_s, shard) for shard, now_s in enumerate(busy_s)]
    heapq.heapify(shards)
    for _ in pieces:
        now_s, shard = heapq.heappop(shards)
        while waiting and (not ready or trained_s[waiting[0].classifier] <= now_s):
            piece = waiting.popleft()
            heapq.heappush(ready, (-piece.expected_s, len(waiting), piece))
        _, _, piece = heapq.heappop(ready)
        parts[shard].append(piece)
        heapq.heappush(shards, (max(now_s, trained_s[piece.classifier]) + piece.expected_s, shard))


def _trained_s(parts: Sequence[Sequence[Piece]]) -> dict[tuple[str, str, int], float]:
    """When each classifier's training is over, in seconds after the start of all shards."""
    found = {}
    for part in parts:
        now_s = 0.0
        for piece in part:
            found[piece.classifier] = now_s + piece.fit_s
            now_s += piece.expected_s
    return found


def _seconds(item: Item) -> float:
    return UNKNOWN_S if item.expected_s is None else item.expected_s


def _pieces(of_one: Sequence[Item], fair_s: float) -> list[Piece]:
    """A classifier whole, or what a fair share has room for, and the rest in small pieces.

    The reference's cell, with which the others are compared, stays with the training; then come the longest.
    """
    training, *cells = of_one
    first = cells[:1]
    rest: list[Item] = []
    spent_s = _seconds(training) + sum(map(_seconds, first))
    for cell in sorted(cells[1:], key=_seconds, reverse=True):
        fits = spent_s + _seconds(cell) <= fair_s
        (first if fits else rest).append(cell)
        spent_s += _seconds(cell) if fits else 0.0
    made = [_piece(training, first, _seconds(training))]
    filling: list[Item] = []
    for cell in rest:
        if filling and sum(map(_seconds, [*filling, cell])) > fair_s * SMALL:
            made.append(_piece(training, filling, None))
            filling = []
        filling.append(cell)
    return [*made, _piece(training, filling, None)] if filling else made


def _piece(training: Item, cells: Sequence[Item], fit_s: float | None) -> Piece:
    classifier = (training.task, training.recipe, training.seed)
    engines = frozenset(str(cell.engine) for cell in cells)
    expected_s = (fit_s or 0.0) + sum(map(_seconds, cells))
    return Piece(classifier, engines, fit_s is not None, expected_s, fit_s or 0.0)
