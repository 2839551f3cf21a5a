"""Has a row become worse? The rule of the quality gate, on answers to the same test items."""

from __future__ import annotations

import enum
import math

import numpy as np

from bench.messages import Said, joined, message
from bench.results.records import Cell, Interval
from bench.types import Record, Scenario

SMALLEST_MARGIN = 0.003
POWER = 2.8  # standard errors: 1.96 for the 95 % interval and 0.84 for 80 % power
Z95 = 1.959963984540054


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


def judge(lost: int, won: int, n: int) -> Judgement:
    """REGRESSED: the whole interval is below 0 and the drop reaches the margin. PASS: all of it is above -margin.

    The margin is max(0.3 points, 2.8 * sqrt(d / n)) for a discordant share d: what a paired test of n items sees with
    80 % power (Connor 1987). n must be at least 1.
    """
    difference = paired_difference_interval(lost, won, n)
    discordant = (lost + won) / n
    margin = max(SMALLEST_MARGIN, POWER * math.sqrt(discordant / n))
    if difference.high < 0 and -difference.value >= margin:
        verdict = Verdict.REGRESSED
    elif difference.low > -margin:
        verdict = Verdict.PASS
    else:
        verdict = Verdict.INCONCLUSIVE
    needed = _items_needed(difference.value, discordant, n) if verdict is Verdict.INCONCLUSIVE else None
    return Judgement(
        verdict=verdict, n=n, lost=lost, won=won, difference=difference, margin=margin, items_needed=needed
    )


def judge_answers(labels: np.ndarray, old: np.ndarray, new: np.ndarray) -> Judgement:
    """The verdict on two rows' labels int (n,) for the same items."""
    old_right, new_right = old == labels, new == labels
    return judge(int((old_right & ~new_right).sum()), int((~old_right & new_right).sum()), len(labels))


def paired_difference_interval(lost: int, won: int, n: int) -> Interval:
    """Difference of two paired accuracies with its Wald 95 % interval, which the margin's formula belongs to.

    The standard error is sqrt(lost + won - (won - lost)^2 / n) / n (Agresti 2013, section 11.1). Without discordant
    items nothing has changed, and the interval has no width.
    """
    value = (won - lost) / n
    half = Z95 * math.sqrt(max(0.0, lost + won - (won - lost) ** 2 / n)) / n
    return Interval(value=value, low=max(-1.0, value - half), high=min(1.0, value + half))


def _items_needed(difference: float, discordant: float, n: int) -> int:
    """How many items bring this drop to the margin, or a drop below the smallest margin's interval above it."""
    drop = -difference
    if drop >= SMALLEST_MARGIN:
        needed = discordant * (POWER / drop) ** 2
    else:
        needed = discordant * (Z95 / (SMALLEST_MARGIN - drop)) ** 2
    return max(n + 1, math.ceil(needed))
