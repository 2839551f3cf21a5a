"""Tiers: how long and how often speed is measured, and how many texts a run takes."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from bench.errors import unknown_name
from bench.types import ClassifierKind, Record

SLOW_KINDS: frozenset[ClassifierKind] = frozenset({"options", "served"})


class Tier(Record):
    """Minimum seconds and queries of a LoadGen run, repeats in fresh processes, texts taken, time limits.

    None as a number of texts means all there are. `slow_test_items` is for language models, which answer too slowly
    for a whole test split in a short run; theirs is the head of the same stratified order, so paired tests still pair.
    `target_percentile` is the latency that LoadGen's verdict on `single` is about. `few_engines` leaves all but the
    reference and the fastest engine out of the default choice.
    """

    name: str
    min_duration_s: float
    min_queries: int
    repeats: int
    train_items: int | None = None
    test_items: int | None = None
    slow_test_items: int | None = None
    target_percentile: float = 90.0
    few_engines: bool = False
    cell_limit_s: float
    fit_limit_s: float

    def items_for(self, kind: ClassifierKind, available: int) -> int:
        """How many of the available test texts a classifier of this kind answers."""
        wanted = self.slow_test_items if kind in SLOW_KINDS else None
        return available if wanted is None else min(wanted, available)


@cache
def _tiers() -> dict[str, Tier]:
    content = tomllib.loads((Path(__file__).parent / "tiers.toml").read_text(encoding="utf-8"))
    return {name: Tier(name=name, **fields) for name, fields in content.items()}


def tier_names() -> list[str]:
    """Every tier, shortest first."""
    return list(_tiers())


def load_tier(name: str) -> Tier:
    """The tier of that name; raises UsageError with the nearest names."""
    if name not in _tiers():
        raise unknown_name("tier", name, tier_names())
    return _tiers()[name]
