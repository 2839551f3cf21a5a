"""Simulate what thresholds of confidence come to and how often the printed intervals hold, and write the table.

    python benchmarks/selective.py > benchmarks/selective.md

Answers of known confidence and of a known chance to be right at each confidence: calibrated, overconfident (the chance
is the confidence to the power 2) and a weak classifier. A threshold is chosen on validation texts and measured on test
texts, both drawn anew; what its intervals must contain are the coverage and accuracy of that threshold in the whole
population. "same texts" is the threshold that just keeps the target on the test texts themselves, measured on them,
which the harness does not print.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from bench.quality.selective import area_under_risk_coverage, automation, confidence_of
from bench.quality.stats import wilson
from bench.results.records import Answers
from bench.types import Prediction

SAMPLES = 500
POPULATION = 400_000
TARGETS = (0.95, 0.99)
SIZES = ((200, 400), (400, 2000), (2000, 7600))


@dataclass(frozen=True)
class Kind:
    """Confidences 1/2 to 1 by a beta distribution, and the power of the confidence that is the chance to be right."""

    name: str
    a: float
    b: float
    power: float

    def draw(self, random: np.random.Generator, n: int) -> Answers:
        confidence = 0.5 + 0.5 * random.beta(self.a, self.b, n)
        right = random.random(n) < confidence**self.power
        probabilities = np.stack([confidence, 1 - confidence], axis=1)
        prediction = Prediction(probabilities, np.zeros(n, int), np.ones(n, np.int32), np.zeros(n, bool))
        return Answers(np.arange(n), np.where(right, 0, 1), prediction)


KINDS = (Kind("calibrated", 6, 0.6, 1.0), Kind("overconfident", 6, 0.4, 2.0), Kind("weak", 2, 1.5, 1.0))


@dataclass(frozen=True)
class Truth:
    """The whole population, most confident first: confidences, and the accuracy down to each."""

    confidence: np.ndarray
    accuracy: np.ndarray
    area: float

    @classmethod
    def of(cls, kind: Kind) -> Truth:
        confidence = np.sort(0.5 + 0.5 * np.random.default_rng(7).beta(kind.a, kind.b, POPULATION))[::-1]
        accuracy = np.cumsum(confidence**kind.power) / np.arange(1, POPULATION + 1)
        return cls(confidence, accuracy, float((1 - accuracy).mean()))

    def at(self, threshold: float) -> tuple[float, float]:
        """Coverage and accuracy of a threshold."""
        answered = int(np.searchsorted(-self.confidence, -threshold, side="right"))
        return answered / POPULATION, float(self.accuracy[max(answered, 1) - 1])


def line(kind: Kind, truth: Truth, target: float, validation: int, test: int) -> str:
    random = np.random.default_rng((validation, int(100 * target)))
    coverage_held, accuracy_held, true_accuracy, same_held, same_accuracy, area_held = ([] for _ in range(6))
    for _ in range(SAMPLES):
        chosen_on, measured = kind.draw(random, validation), kind.draw(random, test)
        found = automation(chosen_on, measured, target)
        if found.threshold is not None:
            coverage, accuracy = truth.at(found.threshold)
            coverage_held.append(found.coverage.low <= coverage <= found.coverage.high)
            true_accuracy.append(accuracy)
            if found.accuracy:
                accuracy_held.append(found.accuracy.low <= accuracy <= found.accuracy.high)
        _judge_same_texts(measured, truth, target, same_held, same_accuracy)
        area = area_under_risk_coverage(measured)
        if area.items_needed is None:
            area_held.append(area.low <= truth.area <= area.high)
    cells = (
        kind.name,
        f"{target:.0%}",
        f"{validation:,}",
        f"{test:,}",
        f"{len(true_accuracy) / SAMPLES:.0%}",
        _share(true_accuracy),
        _share(coverage_held),
        _share(accuracy_held),
        _share(same_accuracy),
        _share(same_held),
        _share(area_held),
    )
    return f"| {' | '.join(cells)} |"


def _judge_same_texts(
    measured: Answers, truth: Truth, target: float, held: list[bool], true_accuracy: list[float]
) -> None:
    confidence, right = confidence_of(measured.prediction), measured.prediction.labels == measured.labels
    order = np.argsort(-confidence)
    kept = np.flatnonzero(np.cumsum(right[order]) >= target * np.arange(1, len(order) + 1))
    if not len(kept):
        return
    answered = int(kept[-1]) + 1
    interval = wilson(int(right[order[:answered]].sum()), answered)
    _, accuracy = truth.at(float(confidence[order[answered - 1]]))
    held.append(interval.low <= accuracy <= interval.high)
    true_accuracy.append(accuracy)


def _share(values: list[float] | list[bool]) -> str:
    return f"{np.mean(values):.1%}" if values else "-"


def main() -> None:
    print("# Thresholds of confidence: what they come to, and the coverage of their 95 % intervals\n")
    print(f"Written by `python benchmarks/selective.py`. {(__doc__ or '').split('selective.md')[1].strip()}\n")
    print(f"{SAMPLES:,} samples a line. found: how often validation has a threshold that keeps the target. accuracy:")
    print("what is true of the thresholds found, on average. holds: how often the true value lies in the interval.\n")
    names = ("answers", "target", "validation", "test", "found", "accuracy", "coverage holds", "accuracy holds")
    names += ("same texts: accuracy", "same texts: holds", "AURC holds")
    print(f"| {' | '.join(names)} |")
    print(f"| --- | {' | '.join('---:' for _ in names[1:])} |")
    chosen = sys.argv[1:] or [kind.name for kind in KINDS]  # a part of the table, for a second process
    for kind in (kind for kind in KINDS if kind.name in chosen):
        truth = Truth.of(kind)
        for target in TARGETS:
            for validation, test in SIZES:
                print(line(kind, truth, target, validation, test), flush=True)


if __name__ == "__main__":
    main()
