"""The speed gate on planned times: which slow heads it finds, at how few answers a second, whatever the seed.

    python benchmarks/planned_turns.py [--seeds 40] [--out benchmarks/planned_turns.md]

The workers of base, base again and head take planned seconds a text, with noise and stalls as shared machines have
them, so that nothing is measured: what is tried is which texts the turns draw and how they are judged.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from bench.gates.speed_rules import judge_turns
from bench.gates.turns import MOST_TURNS, take_turns
from bench.results.verdicts import Verdict

TEXTS = 2000
NOISE, STALLS, STALL = 0.03, 0.02, 4.0
RATES = (5.0, 50.0)
PLANS = (
    ("unchanged", 0.0, 1.0, "any"),
    ("5 % slower", 1.0, 1.05, "any"),
    ("20 % slower", 1.0, 1.2, "any"),
    ("twice as slow on 70 % of the texts", 0.7, 2.0, "any"),
    ("twice as slow on the shortest 70 %", 0.7, 2.0, "short"),
    ("twice as slow on the longest 70 %", 0.7, 2.0, "long"),
    ("twice as slow on 30 % of the texts", 0.3, 2.0, "any"),
    ("twice as slow on the longest 30 %", 0.3, 2.0, "long"),
)


class PlannedWorker:
    """Answers the gate as a worker does, with planned seconds a text; remembers the turns it was asked."""

    def __init__(self, lengths: np.ndarray, seconds: np.ndarray, noise: float, seed: int) -> None:
        self.lengths = tuple(lengths.tolist())
        self.turns: list[tuple[int, ...]] = []
        self._seconds, self._noise, self._rng = seconds, noise, np.random.default_rng(seed)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """The rate of a warm-up, or the seconds a text of a turn."""
        if "warm_up" in question:
            return {"rate_rps": 1 / self._seconds.mean()}
        texts = list(question["texts"])
        self.turns.append(tuple(texts))
        noise = np.exp(self._rng.normal(0, self._noise)) * (STALL if self._rng.random() < STALLS else 1)
        return {"seconds": self._seconds[texts].mean() * noise}


def planned_workers(rate: float, slow_share: float, factor: float, seed: int, slow: str = "any") -> list[PlannedWorker]:
    """Base, base again and a head that takes `factor` times as long for a share of the texts: any, short or long ones.

    Lengths are log-normal, as those of texts are, and time goes with them.
    """
    rng = np.random.default_rng(seed)
    lengths = rng.lognormal(5.3, 0.7, TEXTS).astype(int) + 1
    base = lengths / lengths.mean() / rate
    order = rng.permutation(TEXTS) if slow == "any" else np.argsort(lengths if slow == "short" else -lengths)
    head = base.copy()
    head[order[: round(TEXTS * slow_share)]] *= factor
    return [PlannedWorker(lengths, each, NOISE, 10 * seed + place) for place, each in enumerate((base, base, head))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    arguments.out.write_text(render(arguments.seeds), encoding="utf-8")
    print(arguments.out.read_text())


def render(seeds: int) -> str:
    """One row a rate and a plan."""
    lines = [
        "# The speed gate on planned times",
        "",
        f"{seeds} seeds a row, {TEXTS:,} texts of log-normal lengths, {NOISE:.0%} noise a turn, a stall of {STALL:g} "
        f"times in {STALLS:.0%} of the turns. Made by `python benchmarks/planned_turns.py`. raw ranks: how often Mann "
        "and Whitney's test of the seconds as they are, which vary with the texts, has p < 0.01; ranks: the gate's, "
        "aligned by turn.",
        "",
        "| answers/s | head | REGRESSED | INCONCLUSIVE | PASS | measured, median | turns, median | ranks | raw ranks |",
        "|--:|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [_row(rate, *plan, seeds=seeds) for rate in RATES for plan in PLANS]
    return "\n".join([*lines, ""])


def _row(rate: float, name: str, share: float, factor: float, slow: str, seeds: int) -> str:
    counts: Counter[Verdict] = Counter()
    measured, turns, ranks, raw = [], [], 0, 0
    for seed in range(seeds):
        workers: Any = planned_workers(rate, share, factor, seed, slow)
        seconds = take_turns(workers, "single", MOST_TURNS, lambda *_: None, seed).seconds
        judgement = judge_turns("single", *seconds.T)
        counts[judgement.verdict] += 1
        measured.append(judgement.slowdown.value)
        turns.append(judgement.turns)
        ranks += judgement.p < 0.01
        raw += stats.mannwhitneyu(seconds[:, 2], seconds[:, :2].ravel()).pvalue < 0.01
    verdicts = [str(counts[each]) for each in (Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.PASS)]
    cells = [f"{rate:g}", name, *verdicts, f"{np.median(measured):+.1%}", f"{np.median(turns):g}", str(ranks), str(raw)]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
