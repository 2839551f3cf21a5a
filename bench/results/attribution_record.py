"""What an attribution finds."""

from __future__ import annotations

from bench.gates.rules import Judgement, Verdict
from bench.messages import Said
from bench.results.records import Cell
from bench.types import Record


class Swap(Record):
    """A part put back to the base's: the gate's judgement of the rest against the baseline, or why it was not tried."""

    part: Said
    judgement: Judgement | None
    note: Said | None = None

    @property
    def repairs(self) -> bool:
        """Whether the row is no longer called regressed."""
        return self.judgement is not None and self.judgement.verdict is not Verdict.REGRESSED


class Attribution(Record):
    """A regressed row, what was swapped, and the versions that differ (package, base, head).

    `again` is the head asked once more with nothing swapped: where it is not regressed now, or does not run, no swap
    would tell anything and none was made.
    """

    cell: Cell
    name: str
    head: Judgement
    again: Swap
    swaps: tuple[Swap, ...]
    versions: tuple[tuple[str, str | None, str | None], ...]

    @property
    def culprits(self) -> tuple[str, ...]:
        """The parts each of which repairs the row by itself; empty when none does."""
        return tuple(swap.part for swap in self.swaps if swap.repairs)
