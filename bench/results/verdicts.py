"""Stores the verdicts of gates and of attribution as codes and numbers; reports/pages say them in words."""

from __future__ import annotations

import enum

from bench.machine.crowding import is_beside_others
from bench.messages import Said
from bench.results.records import Cell, Interval
from bench.types import Record, Scenario


class Verdict(enum.StrEnum):
    """What the gate says of a result; FAILED and MISSING results have no answers to judge."""

    PASS = "PASS"  # noqa: S105 - a verdict
    REGRESSED = "REGRESSED"
    INCONCLUSIVE = "INCONCLUSIVE"
    FAILED = "FAILED"
    MISSING = "MISSING"


WORST_FIRST = (Verdict.FAILED, Verdict.REGRESSED, Verdict.MISSING, Verdict.INCONCLUSIVE, Verdict.PASS)


def worst(*verdicts: Verdict) -> Verdict:
    """The verdict of a whole whose parts have these."""
    return min(verdicts, key=WORST_FIRST.index)


class Metric(enum.StrEnum):
    """The figures of quality that the gate judges."""

    ACCURACY = "accuracy"
    MACRO_F1 = "macro_f1"


class MetricJudgement(Record):
    """The verdict on one figure: `difference`, new minus old, as a share with its 95 % interval.

    `highest` is its upper bound at the level that is corrected over all results. An INCONCLUSIVE verdict has what would
    settle it if the shares stayed what they are: so many items, or so many training seeds a side; None where nothing
    of the kind would.
    """

    metric: Metric
    verdict: Verdict
    difference: Interval
    highest: float
    items_needed: int | None = None
    seeds_needed: int | None = None


class SeedSpread(Record):
    """How far trainings of one recipe differ: standard deviations, as shares, and the seeds of the smaller side.

    `measured` from the seeds of both runs, or else assumed as the user stated it.
    """

    seeds: int
    measured: bool
    accuracy: float
    macro_f1: float


class Judgement(Record):
    """The verdict on n paired items: both figures must be no worse by the `margin`, a share.

    `lost` items only the old result has right, `won` only the new one (means over the training seeds). `unchanged`: the
    same classifier gave the same answers. `spread` where the result was trained again and came out otherwise.
    """

    verdict: Verdict
    n: int
    lost: float
    won: float
    margin: float
    metrics: tuple[MetricJudgement, ...]
    unchanged: bool = False
    spread: SeedSpread | None = None

    def of(self, metric: Metric) -> MetricJudgement:
        """The verdict on one of the figures."""
        return next(each for each in self.metrics if each.metric is metric)


class SpeedJudgement(Record):
    """The verdict on one scenario, base and head measured by turns; shares of the base's time.

    `slowdown`: time of the head over that of the base on the same texts, minus 1; `noise`: root mean square of base
    against base; `bar`: max(10 %, twice the noise); p: of a rank test over the turns; rates in texts/s. `held_up`: the
    share of its turns by which other processes held up that of the three which they held up most, `others_share`: what
    they had of the cores; None where nobody watched.
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
    held_up: float | None = None
    others_share: float | None = None

    @property
    def beside_others(self) -> bool:
        """Whether nothing can be said because other processes took the cores."""
        return is_beside_others(self.held_up)


class Reason(enum.StrEnum):
    """Why a result has no answers to judge, or why its speed could not be measured."""

    NOT_IN_RUN = "not in this run"
    NO_COMMON_ITEM = "no test item in common"
    NO_ANSWERS = "no answers"
    SPEED_FAILED = "speed failed"


class CheckedResult(Record):
    """A result of the baseline and what became of it; `judgement` where there are answers, `speed` where it was asked.

    `status` and `detail` are those of the run's result where it has no answers, or what the speed gate failed of.
    """

    cell: Cell
    verdict: Verdict
    reason: Reason | None = None
    status: str | None = None
    detail: Said | None = None
    judgement: Judgement | None = None
    speed: tuple[SpeedJudgement, ...] = ()

    @property
    def name(self) -> str:
        """The result as a person calls it: recipe, base model, seed, engine."""
        base = f" ({self.cell.base_model.rsplit('/', 1)[-1]})" if self.cell.base_model else ""
        return f"{self.cell.recipe}{base} s{self.cell.seed} {self.cell.engine or '-'}"

    @property
    def bad(self) -> bool:
        """Whether this result alone makes the check fail."""
        return self.verdict in {Verdict.REGRESSED, Verdict.FAILED}


class Check(Record):
    """All results of a baseline, in its order, and the run's results that the baseline does not have."""

    baseline_commit: str | None
    run_commit: str | None
    same_hardware: bool
    margin: float
    rows: tuple[CheckedResult, ...]
    new_rows: tuple[Cell, ...]

    @property
    def verdict(self) -> Verdict:
        """REGRESSED when any result regressed or failed; else INCONCLUSIVE when one is unsettled or missing, or none.

        A check without a result has compared nothing.
        """
        if any(checked.bad for checked in self.rows):
            return Verdict.REGRESSED
        verdicts = {checked.verdict for checked in self.rows}
        return Verdict.PASS if verdicts == {Verdict.PASS} else Verdict.INCONCLUSIVE


class Part(enum.StrEnum):
    """What attribution puts back to the base's."""

    NOTHING = "nothing, asked again"
    WEIGHTS = "weights"
    TOKENIZER = "tokenizer"
    BOTH_HALVES = "weights and tokenizer"
    ENGINE = "engine"
    LIBRARIES = "libraries"
    CODE = "code"
    SURROUNDINGS = "libraries and code"


class Untried(enum.StrEnum):
    """Why a part was not put back."""

    SAME = "same"
    NO_BASE_PYTHON = "no base python"
    NO_BASE_SOURCE = "no base source"
    OTHER_KIND = "other kind"
    NO_TOKENIZER_FILE = "no tokenizer file"
    NO_REFERENCE = "no reference engine"
    IS_REFERENCE = "is the reference engine"
    DOES_NOT_RUN = "does not run"


class Swap(Record):
    """A part put back to the base's: the gate's judgement of the rest against the baseline, or why it was not tried.

    `detail` is the engine of IS_REFERENCE and the error of DOES_NOT_RUN.
    """

    part: Part
    judgement: Judgement | None = None
    untried: Untried | None = None
    detail: Said | None = None

    @property
    def repairs(self) -> bool:
        """Whether the result is no longer called regressed."""
        return self.judgement is not None and self.judgement.verdict is not Verdict.REGRESSED


class Attribution(Record):
    """A regressed result, what was swapped, and the versions that differ (package, base, head).

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
    def culprits(self) -> tuple[Part, ...]:
        """The parts each of which repairs the result by itself; empty when none does."""
        return tuple(swap.part for swap in self.swaps if swap.repairs)
