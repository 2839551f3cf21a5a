"""Reads tiers: how long and how often speed is measured, and how many texts a run takes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from bench.errors import unknown_name
from bench.files.toml import read_toml
from bench.types import ClassifierKind, Record, WeightsChoice

TEXTS_A_CLASS = 4  # what bench/quality/intervals.py takes
SLOW_KINDS: frozenset[ClassifierKind] = frozenset({"generate", "options", "served"})


class Tier(Record):
    """Minimum seconds and queries of a LoadGen run, repeats in fresh processes, texts taken, time limits.

    None as a number of texts means all there are. `slow_test_items` is for language models, which answer too slowly
    for a whole test split in a short run; theirs is the head of the same stratified order, so paired tests still pair.
    Where `min_queries` would take an engine longer than `slow_s`, it is asked as many as fit, `fewest_queries` at
    least.
    `target_percentile` is the latency that LoadGen's verdict on `single` is about.

    The `server` scenario looks for the highest rate whose `server_percentile` latency stays within `latency_limit_ms`,
    with probes of `server_probe_s` for at most `server_search_s`, down to `server_resolution` of the rate. Its three
    confirmations may take `server_confirm_s` together; where the percentile would need more queries than that, a lower
    one is taken. `few_engines` leaves all but the
    reference and the fastest engine out of the default choice.
    """

    name: str
    min_duration_s: float
    min_queries: int
    slow_s: float | None = None
    fewest_queries: int = 64
    repeats: int
    train_items: int | None = None
    test_items: int | None = None
    slow_test_items: int | None = None
    target_percentile: float = 90.0
    latency_limit_ms: float = 100.0
    server_percentile: float = 99.0
    server_probe_s: float = 5.0
    server_search_s: float = 600.0
    server_resolution: float = 0.02
    server_confirm_s: float | None = None
    few_engines: bool = False
    cell_limit_s: float
    fit_limit_s: float

    def queries_for(self, rate_rps: float) -> int:
        """The least queries of a LoadGen run, by the rate that the warm-up found."""
        if self.slow_s is None:
            return self.min_queries
        return min(self.min_queries, max(self.fewest_queries, round(rate_rps * self.slow_s)))

    def items_for(
        self, kind: ClassifierKind, available: int, weights: WeightsChoice = "trained", classes: int = 1
    ) -> int:
        """How many of the available test texts a classifier of this kind answers; few where no quality is measured.

        Slow ones answer enough of every class for an interval of macro F1, however many classes there are.
        """
        if self.slow_test_items is None or not (kind in SLOW_KINDS or weights == "random"):
            return available
        wanted = self.slow_test_items if weights == "random" else max(self.slow_test_items, TEXTS_A_CLASS * classes)
        return min(wanted, available)


@cache
def _tiers() -> dict[str, Tier]:
    content = read_toml(Path(__file__).parent / "tiers.toml")
    return {name: Tier(name=name, **fields) for name, fields in content.items()}


def tier_names() -> list[str]:
    """Every tier, shortest first."""
    return list(_tiers())


def load_tier(name: str) -> Tier:
    """The tier of that name; raises UsageError with the nearest names."""
    if name not in _tiers():
        raise unknown_name("tier", name, tier_names())
    return _tiers()[name]
