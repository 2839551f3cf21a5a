"""Simulate what the ranks claim: wrong "better than", the power at the printed difference, methods over seeds.

    python benchmarks/rank_power.py > benchmarks/rank_power.md

A text is hard or easy for all classifiers alike to a degree: each is right where a normal number, correlated between
classifiers, lies below its threshold; a wrong answer is any other class.
"""

from __future__ import annotations

import sys
from itertools import combinations

import numpy as np
from scipy import stats

from bench.quality.methods import compare_methods
from bench.quality.randomisation import Paired, Randomised, randomisation_test
from bench.quality.ranking import SIGNIFICANT, smallest_detectable_difference
from bench.quality.stats import wilson
from bench.results.records import Answers
from bench.types import Prediction

ROWS = (2, 6, 18, 36)
EQUAL_TABLES = {2: 20_000, 6: 4_000, 18: 1_000, 36: 300}
POWER_TABLES = 2_000
PRINTED_TABLES = 100
CASES = ((2000, 4, 0.90, 0.8), (1000, 20, 0.80, 0.7), (500, 4, 0.80, 0.5))
SEED_SPREAD = 0.01
METHOD_TABLES = 1_000


def right_answers(random: np.random.Generator, hardness: np.ndarray, accuracy: float, alike: float) -> np.ndarray:
    own = random.standard_normal(len(hardness))
    return np.sqrt(alike) * hardness + np.sqrt(1 - alike) * own < stats.norm.ppf(accuracy)


def given_answers(
    random: np.random.Generator, truth: np.ndarray, hardness: np.ndarray, classes: int, accuracy: float, alike: float
) -> np.ndarray:
    wrong = (truth + random.integers(1, classes, len(truth))) % classes
    return np.where(right_answers(random, hardness, accuracy, alike), truth, wrong)


def answers_of(truth: np.ndarray, given: np.ndarray, classes: int) -> Answers:
    n = len(truth)
    prediction = Prediction(np.zeros((n, classes)), given, np.zeros(n, np.int32), np.zeros(n, bool))
    return Answers(np.arange(n), truth, prediction)


def wrong_tables(random: np.random.Generator, n: int, classes: int, accuracy: float, alike: float, rows: int) -> int:
    """The number of tables of equal classifiers that call one better than another.

    Holm claims something where the smallest p passes its first step; a difference of less than 1.8 standard deviations
    passes none and is not drawn for.
    """
    pairs = rows * (rows - 1) // 2

    def claims(paired: Paired) -> bool:
        rough = randomisation_test(paired, classes, draws=1)
        if abs(rough.difference) < 1.8 * rough.spread:
            return False
        return randomisation_test(paired, classes).p < SIGNIFICANT / pairs

    wrong = 0
    for _ in range(EQUAL_TABLES[rows]):
        truth, hardness = random.integers(0, classes, n), random.standard_normal(n)
        given = [given_answers(random, truth, hardness, classes, accuracy, alike) for _ in range(rows)]
        wrong += any(claims(Paired(truth, first, second)) for first, second in combinations(given, 2))
    return wrong


def power(
    random: np.random.Generator, n: int, classes: int, accuracy: float, alike: float, rows: int
) -> tuple[float, float]:
    """The difference that a table of so many rows prints, and how often that difference is found in such a table.

    Half of it is added to one classifier and half taken from another. They are found where p passes Holm's first step;
    in a whole table Holm finds no less.
    """
    pairs = rows * (rows - 1) // 2

    def test(accuracies: tuple[float, float], draws: int) -> tuple[Paired, Randomised]:
        truth, hardness = random.integers(0, classes, n), random.standard_normal(n)
        paired = Paired(truth, *(given_answers(random, truth, hardness, classes, each, alike) for each in accuracies))
        return paired, randomisation_test(paired, classes, draws=draws)

    printed = float(
        np.median(
            [
                smallest_detectable_difference(found, paired, classes, pairs)
                for paired, found in (test((accuracy, accuracy), 1) for _ in range(PRINTED_TABLES))
            ]
        )
    )
    better, worse = accuracy + printed / 2, accuracy - printed / 2
    results = [test((better, worse), 500)[1] for _ in range(POWER_TABLES)]
    return printed, float(np.mean([each.p < SIGNIFICANT / pairs and each.difference > 0 for each in results]))


def wrong_methods(random: np.random.Generator, seeds: int, n: int, classes: int) -> float:
    """Share of tables that call one of two equal methods better whose seeds differ by a point (standard deviation)."""
    wrong = 0
    for _ in range(METHOD_TABLES):
        truth, hardness = random.integers(0, classes, n), random.standard_normal(n)
        methods = {
            name: [
                answers_of(truth, given_answers(random, truth, hardness, classes, each, 0.8), classes)
                for each in random.normal(0.9, SEED_SPREAD, seeds)
            ]
            for name in "AB"
        }
        wrong += compare_methods(methods, classes)[0].apart
    return wrong / METHOD_TABLES


def classifiers_apart(random: np.random.Generator, n: int, classes: int) -> float:
    """The same with one seed: how often the two classifiers, which do differ, are told apart."""
    found = 0
    for _ in range(METHOD_TABLES):
        truth, hardness = random.integers(0, classes, n), random.standard_normal(n)
        first, second = (
            given_answers(random, truth, hardness, classes, each, 0.8) for each in random.normal(0.9, SEED_SPREAD, 2)
        )
        found += randomisation_test(Paired(truth, first, second), classes, draws=500).p < SIGNIFICANT
    return found / METHOD_TABLES


def main() -> None:
    random = np.random.default_rng(20261129)
    print("# What the ranks claim, simulated\n")
    print("Written by `python benchmarks/rank_power.py`.\n")
    print('## Wrong "better than" in tables of equal classifiers\n')
    print("| rows | tables | tables with a wrong claim | 95 % interval |\n| ---: | ---: | ---: | --- |")
    for rows in ROWS:
        tables = EQUAL_TABLES[rows]
        share = wilson(wrong_tables(random, 500, 4, 0.85, 0.7, rows), tables)
        print(f"| {rows} | {tables:,} | {share.value:.2%} | {share.low:.2%} to {share.high:.2%} |", flush=True)
        print("equal", rows, file=sys.stderr)
    print("\n500 texts, 4 classes, 85 % accuracy; at most 5 % may be wrong.\n")
    print("## Power at the printed smallest difference\n")
    print(f"| texts | classes | accuracy | {' | '.join(f'{rows} rows' for rows in ROWS)} |")
    print(f"| ---: | ---: | ---: | {' | '.join('---:' for _ in ROWS)} |")
    for n, classes, accuracy, alike in CASES:
        found = [power(random, n, classes, accuracy, alike, rows) for rows in ROWS]
        cells = " | ".join(f"{100 * printed:.1f} points: {share:.0%}" for printed, share in found)
        print(f"| {n:,} | {classes} | {accuracy:.0%} | {cells} |", flush=True)
        print("power", n, file=sys.stderr)
    print(f"\n{POWER_TABLES:,} tables a cell: a share is known to 1 point (standard error).\n")
    print("## Two equal methods with one point between seeds\n")
    print("| seeds | says a method is better |\n| ---: | ---: |")
    print("| 1 | never: one seed speaks of a classifier |")
    for seeds in (3, 5):
        print(f"| {seeds} | {wrong_methods(random, seeds, 2000, 4):.1%} |", flush=True)
    apart = classifiers_apart(random, 2000, 4)
    print(f"\n2,000 texts, 4 classes. With one seed the two *classifiers* are told apart in {apart:.0%} of tables.")


if __name__ == "__main__":
    main()
