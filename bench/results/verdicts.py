"""The verdicts of gates and of attribution, as a run folder stores them."""

from __future__ import annotations

import enum

from bench.messages import Said, joined, message
from bench.results.records import Cell, Interval
from bench.types import Record, Scenario


class Verdict(enum.StrEnum):
    """What the gate says of a row; FAILED and MISSING rows have no answers to judge."""

    PASS = "PASS"  # noqa: S105 - a verdict
    REGRESSED = "REGRESSED"
    INCONCLUSIVE = "INCONCLUSIVE"
    FAILED = "FAILED"
    MISSING = "MISSING"


class Judgement(Record):
    """The verdict on n paired items: `difference` of accuracy, new minus old, and `margin`, both as shares.

    `lost` items only the old row has right, `won` only the new one. `items_needed` would settle an INCONCLUSIVE
    verdict if the shares stayed what they are.
    """

    verdict: Verdict
    n: int
    lost: int
    won: int
    difference: Interval
    margin: float
    items_needed: int | None = None

    @property
    def explanation(self) -> str | None:
        """What a reader of the verdict must know beside it; None where that is nothing."""
        if self.items_needed:
            settled = message("about {texts:,} texts would settle it", texts=self.items_needed)
            worse = [message("worse, by less than the margin")] if self.difference.high < 0 else []
            return joined("; ", [*worse, settled])
        if self.verdict is Verdict.REGRESSED:
            lost = -100 * self.difference.value
            return message("{lost:.2f} points of accuracy lost on {texts:,} texts", lost=lost, texts=self.n)
        return None


class SpeedJudgement(Record):
    """The verdict on one scenario, base and head measured by turns; shares of the base's time.

    `slowdown`: time of the head over that of the base, minus 1; `noise`: root mean square of base against base;
    `bar`: max(10 %, twice the noise); p: two-sided Mann-Whitney; rates in texts/s, medians over the turns.
    """

    verdict: Verdict
    scenario: Scenario
    turns: int
    slowdown: Interval
    noise: float
    bar: float
    p: float
    base_rps: float
    head_rps: float

    @property
    def explanation(self) -> str | None:
        """What a reader of the verdict must know; None where that is nothing."""
        measured = message(
            "{scenario}: {slowdown:+.1%} time a text, bar {bar:.1%}",
            scenario=message(self.scenario),
            slowdown=self.slowdown.value,
            bar=self.bar,
        )
        if self.verdict is Verdict.INCONCLUSIVE:
            return message(
                "{measured}: not settled in {turns} turns; leave the machine alone or take more --turns",
                measured=measured,
                turns=self.turns,
            )
        return measured if self.verdict is Verdict.REGRESSED else None


class CheckedRow(Record):
    """A row of the baseline and what became of it; `judgement` where there are answers, `speed` where it was asked for.

    `macro_f1_difference`, new minus old, is None where the two did not answer the same items.
    """

    cell: Cell
    verdict: Verdict
    reason: Said | None
    macro_f1_difference: float | None
    judgement: Judgement | None
    speed: tuple[SpeedJudgement, ...] = ()

    @property
    def name(self) -> str:
        """The row as a person calls it: recipe, base model, seed, engine."""
        base = f" ({self.cell.base_model.rsplit('/', 1)[-1]})" if self.cell.base_model else ""
        return f"{self.cell.recipe}{base} s{self.cell.seed} {self.cell.engine or '-'}"

    @property
    def bad(self) -> bool:
        """Whether this row alone makes the check fail."""
        return self.verdict in {Verdict.REGRESSED, Verdict.FAILED}

    @property
    def explanation(self) -> str | None:
        """What a reader of the verdict must know beside it; None where that is nothing."""
        parts = (self.reason, self.judgement and self.judgement.explanation, *(part.explanation for part in self.speed))
        return joined("; ", [part for part in parts if part]) or None


class Check(Record):
    """All rows of a baseline, in its order, and the run's rows that the baseline does not have."""

    baseline_commit: str | None
    run_commit: str | None
    same_hardware: bool
    rows: tuple[CheckedRow, ...]
    new_rows: tuple[Cell, ...]

    @property
    def verdict(self) -> Verdict:
        """REGRESSED when any row regressed or failed; else INCONCLUSIVE when any is not settled or missing."""
        if any(row.bad for row in self.rows):
            return Verdict.REGRESSED
        verdicts = {row.verdict for row in self.rows}
        return Verdict.INCONCLUSIVE if verdicts & {Verdict.INCONCLUSIVE, Verdict.MISSING} else Verdict.PASS


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
