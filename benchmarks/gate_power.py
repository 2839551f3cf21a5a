"""The quality gate's false alarms and power, and what any rule can reach on the same items.

    python benchmarks/gate_power.py [--out benchmarks/gate_power.md]

Simulates comparisons of 7,600 items of which 2 % are right in one of the two rows only. Takes seconds; no data needed.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

import numpy as np
from scipy import optimize, stats

from bench.gates.quality_rules import judge
from bench.results.verdicts import Judgement, Verdict

N, DISCORDANCE, TRIALS = 7600, 0.02, 1000
LOSSES = (0.0, 0.002, 0.003, 0.0045, 0.005, 0.006, 0.01)
FALSE_ALARMS = (0.001, 0.0026, 0.005, 0.01, 0.02, 0.025, 0.05)
AIMED_LOSS, AIMED_ALARMS, AIMED_POWER = 0.0045, 0.01, 0.8


def simulate(loss: float, n: int = N, trials: int = TRIALS, seed: int = 0) -> list[Judgement]:
    """The gate's judgements of comparisons whose head truly loses this share of accuracy."""
    shares = [(DISCORDANCE + loss) / 2, (DISCORDANCE - loss) / 2, 1 - DISCORDANCE]
    draws = np.random.default_rng([seed, round(loss * 1e6), n]).multinomial(n, shares, size=trials)
    return [judge(int(lost), int(won), n) for lost, won, _ in draws]


def best_power(loss: float, false_alarms: float, n: int = N) -> float:
    """The largest share of true losses that any test of the counts finds at this share of false alarms.

    Given the number D of discordant items, lost is binomial(D, 1/2 + loss / 2d); the most powerful test of loss = 0
    (Neyman and Pearson 1933) rejects for many lost ones, at its boundary with the probability that uses its level up.
    Averaged over D, which is binomial(n, d) whatever the loss.
    """
    discordant = np.arange(n + 1)
    weights = stats.binom.pmf(discordant, n, DISCORDANCE)
    likely = discordant[weights > 1e-12]
    boundary = stats.binom.isf(false_alarms, likely, 0.5)
    above, at = stats.binom.sf(boundary, likely, 0.5), stats.binom.pmf(boundary, likely, 0.5)
    randomised = (false_alarms - above) / at
    lost_share = 0.5 + loss / DISCORDANCE / 2
    power = stats.binom.sf(boundary, likely, lost_share) + randomised * stats.binom.pmf(boundary, likely, lost_share)
    return float(np.sum(weights[likely] * power))


def items_for(loss: float, false_alarms: float, power: float) -> int:
    """The fewest items on which some test reaches this power at this share of false alarms."""
    return round(optimize.brentq(lambda n: best_power(loss, false_alarms, round(n)) - power, 1000, 60_000, xtol=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    out = parser.parse_args().out
    out.write_text(render(), encoding="utf-8")
    print(out.read_text())


def render() -> str:
    """The tables as markdown."""
    lines = [
        "# What the quality gate finds",
        "",
        f"{TRIALS:,} simulated comparisons a row, {N:,} items, {DISCORDANCE:.0%} of them right in one of the two rows "
        "only. Made by `python benchmarks/gate_power.py`.",
        "",
        "| true loss, points | REGRESSED | not PASS | whole interval below 0 | INCONCLUSIVE | PASS |",
        "|--:|--:|--:|--:|--:|--:|",
        *map(_gate_row, LOSSES),
        "",
        "## The most any rule can find",
        "",
        "The counts of lost and won items are all that the answers tell. By Neyman and Pearson no test of them finds "
        "more than this:",
        "",
        "| false alarms allowed | finds 0.45 points | finds 1 point |",
        "|--:|--:|--:|",
    ]
    lines += [
        f"| {alarms:.2%} | {best_power(AIMED_LOSS, alarms):.1%} | {best_power(0.01, alarms):.2%} |"
        for alarms in FALSE_ALARMS
    ]
    needed = optimize.brentq(lambda alarms: best_power(AIMED_LOSS, alarms) - AIMED_POWER, 1e-4, 0.2)
    items = items_for(AIMED_LOSS, AIMED_ALARMS, AIMED_POWER)
    lines += [
        "",
        f"- At most 1 % false alarms and at least 80 % found at 0.45 points exclude each other on {N:,} items: 80 % "
        f"costs at least {needed:.1%} false alarms, or takes at least {items:,} items.",
        "- Stored probabilities do not help: on the same items their mean is as unknown as that of the accuracy, so "
        "as control variates they save nothing (the sample mean is efficient), and a test of the log loss would call "
        "two seeds of one recipe different that are equally accurate.",
        "- The rule of the measurement rules asks for a drop of at least m = 2.8 standard errors. m is the loss that a "
        "95 % test finds with 80 % power, and a loss of exactly m is observed as more than m half of the time.",
        f"- Under this rule 80 % REGRESSED takes {_smallest_found():.2f} points on {N:,} items, or "
        f"{_items_under_the_rule():,} items for 0.45 points; what it does not call REGRESSED it calls INCONCLUSIVE, "
        "with its own exit code.",
    ]
    return "\n".join([*lines, ""])


def _gate_row(loss: float) -> str:
    judgements = simulate(loss)
    counts = Counter(judgement.verdict for judgement in judgements)
    below = sum(judgement.difference.high < 0 for judgement in judgements)
    regressed, unsettled, passed = (
        counts[verdict] for verdict in (Verdict.REGRESSED, Verdict.INCONCLUSIVE, Verdict.PASS)
    )
    shares = (regressed, TRIALS - passed, below, unsettled, passed)
    return f"| {100 * loss:.2f} | " + " | ".join(f"{share / TRIALS:.1%}" for share in shares) + " |"


def _smallest_found() -> float:
    """The loss in points that is called REGRESSED in 80 % of comparisons: 2.8 standard errors and 0.84 more."""
    return 100 * (2.8 + stats.norm.ppf(AIMED_POWER)) * (DISCORDANCE / N) ** 0.5


def _items_under_the_rule() -> int:
    return round(DISCORDANCE * ((2.8 + stats.norm.ppf(AIMED_POWER)) / AIMED_LOSS) ** 2)


if __name__ == "__main__":
    main()
