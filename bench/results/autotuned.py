"""Records what `--autotune` found for a result."""

from __future__ import annotations

from bench.types import Record

THREADS = "threads"  # the one setting that is no option of the engine


class Trial(Record):
    """A short look at an engine: texts/s, and the labels it gave the training texts it was shown."""

    rate_rps: float
    labels: tuple[int, ...]


class Tried(Record):
    """Settings that were tried; no rate where the engine failed with them."""

    settings: dict[str, int]
    rate_rps: float | None


class Tuning(Record):
    """The settings that `--autotune` found, what they gave, and what the engine's own settings gave, in texts/s."""

    settings: dict[str, int]
    trial: Trial
    default_rate_rps: float
    tried: tuple[Tried, ...]

    @property
    def options(self) -> dict[str, int]:
        """The settings that are options of the engine."""
        return {name: value for name, value in self.settings.items() if name != THREADS}
