"""The quality gate's errors: how often it passes a true loss of its margin, calls an unchanged row worse, finds a loss.

    python benchmarks/gate_power.py [--trials 1000] [--out benchmarks/gate_power.md]

Simulates pairs of classifiers whose true accuracies or macro F1 differ by a stated amount. Takes minutes; no data
needed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy import optimize

from bench.gates.quality_rules import FALSE_ALARMS, MARGIN, Sides, judge, measure_spread
from bench.machine.threads import usable_cores
from bench.results.verdicts import Judgement, Metric, Verdict

ACCURACY, CHURN = 0.85, 0.1
SHOWN = (Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.PASS)


@dataclass(frozen=True)
class World:
    """Classes, their shares, and a new classifier that truly loses `loss` of a metric where `where` says.

    A share `churn` of the answers is given anew by the new classifier, as right as before.
    """

    classes: int
    zipf: bool
    metric: Metric
    loss: float
    where: str
    churn: float = CHURN

    @property
    def prior(self) -> np.ndarray:
        shares = 1 / np.arange(1, self.classes + 1) if self.zipf else np.ones(self.classes)
        return np.asarray(shares / shares.sum())


def answers(world: World, lost: np.ndarray, n: int, rng: np.random.Generator) -> Sides:
    """n items; of each class's right new answers the share lost (k,) turns wrong. Wrong answers are any other class."""
    k = world.classes
    labels = rng.choice(k, n, p=world.prior)

    def given() -> np.ndarray:
        return np.where(rng.random(n) < ACCURACY, labels, (labels + rng.integers(1, k, n)) % k)

    old = given()
    new = np.where(rng.random(n) < world.churn, given(), old)
    turned = (new == labels) & (rng.random(n) < lost[labels])
    new = np.where(turned, (labels + rng.integers(1, k, n)) % k, new)
    return Sides(labels, [old], [new], k)


def true_difference(world: World, lost: np.ndarray) -> float:
    """Of the metric, from the shares of all answers: no draw is in it."""
    k, prior = world.classes, world.prior
    right = np.full(k, ACCURACY), ACCURACY * (1 - lost)
    if world.metric is Metric.ACCURACY:
        return float(prior @ (right[1] - right[0]))

    def macro_f1(recall: np.ndarray) -> float:
        wrong = prior * (1 - recall) / (k - 1)
        predicted = prior * recall + wrong.sum() - wrong
        return float(np.mean(2 * prior * recall / (prior + predicted)))

    return macro_f1(right[1]) - macro_f1(right[0])


def lost_shares(world: World) -> np.ndarray | None:
    """The share of each class's right answers that makes the world's loss; None where even all of them do not."""
    pattern = (
        np.ones(world.classes) if world.where == "all classes" else (np.arange(world.classes) == world.classes - 1)
    )

    def missing(share: float) -> float:
        return true_difference(world, share * pattern) + world.loss

    if world.loss == 0:
        return np.zeros(world.classes)
    if missing(1.0) > 0:
        return None
    return np.asarray(optimize.brentq(missing, 0.0, 1.0) * pattern)


def simulate(world: World, n: int, trials: int, rows: int = 1) -> list[Judgement]:
    """The gate's judgements of so many comparisons of n items."""
    lost = lost_shares(world)
    if lost is None:
        return []
    rng = np.random.default_rng([n, world.classes, round(1e6 * world.loss), world.zipf, round(1e4 * world.churn)])
    return [judge(answers(world, lost, n, rng), judged_together=rows) for _ in range(trials)]


def _counted(asked: tuple[World, int], trials: int) -> tuple[World, int, Counter[Verdict], float]:
    """Verdicts, and how often the interval of the world's metric held the true difference."""
    world, n = asked
    judged = simulate(world, n, trials)
    held = [each.of(world.metric).difference for each in judged]
    covered = sum(each.low <= -world.loss <= each.high for each in held) / max(1, len(held))
    return world, n, Counter(each.verdict for each in judged), covered


def at_the_margin() -> Iterator[tuple[World, int]]:
    """Worlds whose new classifier truly loses the margin."""
    for classes, zipf, sizes in ((2, False, (32, 500, 2000, 7600)), (4, False, (500, 7600)), (20, False, (2000, 7600))):
        for n in sizes:
            for metric in Metric:
                yield World(classes, zipf, metric, MARGIN, "all classes"), n
    for n in (2000, 7600):
        for where in ("all classes", "rarest class"):
            yield World(20, True, Metric.MACRO_F1, MARGIN, where), n
            yield World(20, True, Metric.MACRO_F1, MARGIN, where, churn=0.01), n
    yield World(50, True, Metric.MACRO_F1, MARGIN, "rarest class"), 7600


def power() -> Iterator[tuple[World, int]]:
    """Losses from none to 2 points of accuracy on AG News's size."""
    for loss in (0.0, 0.002, 0.005, 0.0075, 0.01, 0.02):
        yield World(4, False, Metric.ACCURACY, loss, "all classes", churn=0.04), 7600


def retrained(seeds: int, spread: float, shift: float, trials: int, n: int = 7600) -> Counter[Verdict]:
    """Verdicts on a retrained row: so many seeds a side, with this spread; the new ones are shifted on average."""
    rng = np.random.default_rng([seeds, round(1e4 * spread), round(-1e4 * shift)])
    counts: Counter[Verdict] = Counter()
    for _ in range(trials):
        labels = rng.integers(0, 4, n)
        sides = [
            [
                np.where(rng.random(n) < ACCURACY + mean + rng.normal(0, spread), labels, (labels + 1) % 4)
                for _ in range(seeds)
            ]
            for mean in (0.0, shift)
        ]
        both = Sides(labels, *sides, 4)
        counts[judge(both, spread=measure_spread(both)).verdict] += 1
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    arguments.out.write_text(render(arguments.trials), encoding="utf-8")
    print(arguments.out.read_text())


def render(trials: int) -> str:
    """The tables as markdown."""
    with ProcessPoolExecutor(usable_cores()) as pool:
        margin = list(pool.map(partial(_counted, trials=trials), at_the_margin()))
        found = list(pool.map(partial(_counted, trials=trials), power()))
        asked = [
            (seeds, spread, shift)
            for seeds in (1, 3, 5)
            for spread, shift in ((0.003, 0.0), (0.01, 0.0), (0.003, -0.02))
        ]
        again = list(pool.map(partial(retrained, trials=trials // 4), *zip(*asked, strict=True)))
    lines = [
        "# What the quality gate finds, and what it lets through",
        "",
        f"{trials:,} simulated comparisons a row at the margin of {100 * MARGIN:g} points; classifiers of "
        f"{ACCURACY:.0%} accuracy. Made by `python benchmarks/gate_power.py --trials {trials}`.",
        "",
        "## A true loss of the margin must not pass in more than 5 %",
        "",
        "churn: the share of answers that the new classifier gives anew. covers: how often the 95 % interval of the "
        "metric holds the true difference.",
        "",
        "| classes | loses 0.5 points of | in | churn | texts | PASS | INCONCLUSIVE | REGRESSED | covers |",
        "|--:|---|---|--:|--:|--:|--:|--:|--:|",
        *(_margin_row(*each) for each in margin if sum(each[2].values())),
        "",
        "## Power on 7,600 texts of 4 classes, 4 % of the answers given anew",
        "",
        "| true loss of accuracy, points | REGRESSED | INCONCLUSIVE | PASS |",
        "|--:|--:|--:|--:|",
        *(f"| {100 * world.loss:.2f} | {_shares(counts, SHOWN)} |" for world, _, counts, _ in found),
        "",
        f"A check in which nothing became worse is REGRESSED in at most {FALSE_ALARMS:.0%}: the level is divided by "
        "the figures and rows that changed.",
        "",
        "## Unchanged rows",
        "",
        "A row whose classifier is the same (by its hash) and gave the same answers passes: nothing has changed. So 20 "
        "unchanged rows leave with exit code 0 always, however few their texts (tests/gates/test_gates.py).",
        "",
        "## Rows that were trained again, 7,600 texts",
        "",
        "One seed: a spread of 1 point is assumed; 3 and more measure it.",
        "",
        "| seeds a side | true spread, points | true loss, points | REGRESSED | INCONCLUSIVE | PASS |",
        "|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {seeds} | {100 * spread:g} | {-100 * shift + 0:g} | {_shares(counts, SHOWN)} |"
            for (seeds, spread, shift), counts in zip(asked, again, strict=True)
        ),
    ]
    return "\n".join([*lines, ""])


def _margin_row(world: World, n: int, counts: Counter[Verdict], covered: float) -> str:
    name = world.metric.value.replace("_f1", " F1")
    shares = "Zipf" if world.zipf else "balanced"
    shown = _shares(counts, (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.REGRESSED))
    return (
        f"| {world.classes} {shares} | {name} | {world.where} | {world.churn:.0%} | {n:,} | {shown} | {covered:.1%} |"
    )


def _shares(counts: Counter[Verdict], verdicts: tuple[Verdict, ...]) -> str:
    total = sum(counts.values())
    return " | ".join(f"{counts[verdict] / total:.1%}" for verdict in verdicts)


if __name__ == "__main__":
    main()
