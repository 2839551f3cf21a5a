"""Judges whether a result became worse: non-inferiority of accuracy and of macro F1 on the same test items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot, isfinite, sqrt

import numpy as np
from scipy import special

from bench.errors import UsageError
from bench.quality.differences import (
    CONFIDENCE,
    ItemValues,
    item_values,
    items_to_exclude,
    lower_bound,
    macro_f1_values,
    upper_bound,
)
from bench.quality.scores import macro_scores
from bench.results.records import Interval
from bench.results.verdicts import Judgement, Metric, MetricJudgement, SeedSpread, Verdict, worst

MARGIN = 0.005  # what a result may lose, as a share, where the user states nothing else
SEED_SPREAD = 0.01  # between trainings of one recipe, where fewer than 3 seeds a side tell it
FEWEST_SEEDS = 3
MOST_SEEDS = 50
FALSE_ALARMS = 0.01  # of a whole check in which nothing became worse


@dataclass(frozen=True)
class QualityRule:
    """What a result may lose, and how far trainings of one recipe differ where fewer than 3 seeds tell it; shares."""

    margin: float = MARGIN
    seed_spread: float = SEED_SPREAD

    @classmethod
    def of_points(cls, margin: float, seed_spread: float) -> QualityRule:
        """From points, as a user states them; raises UsageError for what is no number."""
        for option, points in (("--margin", margin), ("--seed-spread", seed_spread)):
            if not isfinite(points):
                raise UsageError(f"{option} {points} is no number of points")
        return cls(margin / 100, seed_spread / 100)


DEFAULT_RULE = QualityRule()


@dataclass(frozen=True)
class Sides:
    """The same items answered by the old and the new classifier, by one array a training seed.

    labels int (n,), old and new int (n,) each, -1 for an answer that names no class.
    """

    labels: np.ndarray
    old: Sequence[np.ndarray]
    new: Sequence[np.ndarray]
    class_count: int

    @property
    def changed(self) -> bool:
        """Whether any answer of a seed is another one now."""
        return len(self.old) != len(self.new) or any(
            not np.array_equal(old, new) for old, new in zip(self.old, self.new, strict=True)
        )


@dataclass(frozen=True)
class _Spread:
    """What training seeds add to an interval: the standard error of the difference, its degrees of freedom."""

    error: float
    degrees: float

    def half(self, confidence: float) -> float:
        """How far they widen either side of an interval."""
        return float(special.stdtrit(self.degrees, (1 + confidence) / 2)) * self.error if self.error else 0.0


_NO_SPREAD = _Spread(0.0, np.inf)


def judge_answers(labels: np.ndarray, old: np.ndarray, new: np.ndarray, class_count: int | None = None) -> Judgement:
    """The verdict on two classifiers' labels int (n,) for the same items, at the default margin, alone in its check."""
    count = class_count or int(max(labels.max(), old.max(), new.max())) + 1
    return judge(Sides(labels, [old], [new], count))


def judge(
    sides: Sides, margin: float = MARGIN, judged_together: int = 1, spread: SeedSpread | None = None
) -> Judgement:
    """PASS: both lower 95 % bounds are above -margin. REGRESSED: an upper bound is below 0, at a level corrected for
    two figures of so many results (in 1 % of checks without a change at most). Else INCONCLUSIVE.

    spread: that of training seeds, which widens every bound.
    """
    right = [np.mean([each == sides.labels for each in side], axis=0) for side in (sides.old, sides.new)]
    values = {
        Metric.ACCURACY: item_values(right[1] - right[0], -1.0, 1.0),
        Metric.MACRO_F1: macro_f1_values(sides.labels, sides.old, sides.new, sides.class_count),
    }
    level = 1 - 2 * FALSE_ALARMS / (len(values) * judged_together)
    counts = len(sides.old), len(sides.new)
    metrics = tuple(
        _judge_metric(metric, items, margin, level, _errors(spread, metric, counts), _planned(spread, metric))
        for metric, items in values.items()
    )
    return Judgement(
        verdict=worst(*(each.verdict for each in metrics)),
        n=len(sides.labels),
        lost=float(np.maximum(right[0] - right[1], 0).sum()),
        won=float(np.maximum(right[1] - right[0], 0).sum()),
        margin=margin,
        metrics=metrics,
        spread=spread,
    )


def unchanged(n: int, margin: float = MARGIN) -> Judgement:
    """The same classifier gave the same n answers: nothing has changed, however few they are."""
    nothing = Interval(value=0.0, low=0.0, high=0.0)
    metrics = (MetricJudgement(metric=each, verdict=Verdict.PASS, difference=nothing, highest=0.0) for each in Metric)
    return Judgement(
        verdict=Verdict.PASS, n=n, lost=0.0, won=0.0, margin=margin, metrics=tuple(metrics), unchanged=True
    )


def measure_spread(sides: Sides, assumed: float = SEED_SPREAD) -> SeedSpread:
    """Standard deviations between the seeds of a side, pooled over both; the assumed one with fewer than 3 a side."""
    seeds = min(len(sides.old), len(sides.new))
    if seeds < FEWEST_SEEDS:
        return SeedSpread(seeds=seeds, measured=False, accuracy=assumed, macro_f1=assumed)

    def pooled(score: Callable[[np.ndarray], float]) -> float:
        scores = [np.array([score(each) for each in side]) for side in (sides.old, sides.new)]
        squares = sum(float(((each - each.mean()) ** 2).sum()) for each in scores)
        return sqrt(squares / (sum(map(len, scores)) - len(scores)))

    return SeedSpread(
        seeds=seeds,
        measured=True,
        accuracy=pooled(lambda predicted: float((predicted == sides.labels).mean())),
        macro_f1=pooled(lambda predicted: macro_scores(sides.labels, predicted, sides.class_count).f1),
    )


def _errors(spread: SeedSpread | None, metric: Metric, seeds: tuple[int, int]) -> _Spread:
    if spread is None:
        return _NO_SPREAD
    deviation = getattr(spread, metric.value)
    degrees = sum(seeds) - 2 if spread.measured else np.inf
    return _Spread(deviation * sqrt(1 / seeds[0] + 1 / seeds[1]), degrees)


def _planned(spread: SeedSpread | None, metric: Metric) -> Callable[[int], _Spread] | None:
    """What so many seeds a side would add if they differed as much."""
    if spread is None:
        return None
    deviation = getattr(spread, metric.value)
    return lambda seeds: _Spread(deviation * sqrt(2 / seeds), 2 * seeds - 2)


@dataclass(frozen=True)
class _Reach:
    """How far the bounds of the items alone lie from a difference: the lower 95 % one, both upper ones."""

    mean: float
    down: float
    up: float
    up_at_level: float

    @classmethod
    def of(cls, items: ItemValues, level: float) -> _Reach:
        mean = items.mean
        return cls(
            mean,
            mean - lower_bound(items, CONFIDENCE),
            upper_bound(items, CONFIDENCE) - mean,
            upper_bound(items, level) - mean,
        )

    def low(self, spread: _Spread) -> float:
        """Both errors together: the distances add up as squares (Zou and Donner 2008)."""
        return max(-1.0, self.mean - hypot(self.down, spread.half(CONFIDENCE)))

    def high(self, spread: _Spread) -> float:
        return min(1.0, self.mean + hypot(self.up, spread.half(CONFIDENCE)))

    def highest(self, spread: _Spread, level: float) -> float:
        return min(1.0, self.mean + hypot(self.up_at_level, spread.half(level)))

    def verdict(self, spread: _Spread, margin: float, level: float) -> Verdict:
        if self.low(spread) > -margin:
            return Verdict.PASS
        return Verdict.REGRESSED if self.highest(spread, level) < 0 else Verdict.INCONCLUSIVE


def _judge_metric(
    metric: Metric,
    items: ItemValues,
    margin: float,
    level: float,
    spread: _Spread,
    planned: Callable[[int], _Spread] | None,
) -> MetricJudgement:
    reach = _Reach.of(items, level)
    verdict = reach.verdict(spread, margin, level)
    seeds = None
    if verdict is Verdict.INCONCLUSIVE and planned:
        counts = range(FEWEST_SEEDS, MOST_SEEDS + 1)
        settled = (count for count in counts if reach.verdict(planned(count), margin, level) is not verdict)
        seeds = next(settled, None)
    return MetricJudgement(
        metric=metric,
        verdict=verdict,
        difference=Interval(value=items.mean, low=reach.low(spread), high=reach.high(spread)),
        highest=reach.highest(spread, level),
        items_needed=_items_needed(items, margin, level) if verdict is Verdict.INCONCLUSIVE else None,
        seeds_needed=seeds,
    )


def _items_needed(items: ItemValues, margin: float, level: float) -> int | None:
    """The fewest items with the same shares that would settle the verdict; None where the items are not at fault."""
    passes = items_to_exclude(items, -margin, CONFIDENCE) if items.mean > -margin else None
    regresses = items_to_exclude(items, 0.0, level) if items.mean < 0 else None
    needed = min((each for each in (passes, regresses) if each is not None), default=None)
    return needed if needed is not None and needed > items.n else None
