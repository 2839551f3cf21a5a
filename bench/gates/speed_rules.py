"""Judges whether a head became slower than its base: the rule of the speed gate, on turns with texts of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from bench.machine.crowding import is_beside_others
from bench.quality.stats import percentile_interval
from bench.results.records import Interval
from bench.results.verdicts import SpeedJudgement, Verdict
from bench.types import Scenario

SMALLEST_BAR = 0.10
NOISES = 2.0
SIGNIFICANT = 0.01
WIDEST_BAR = 0.15  # a wider bar could not be told from a slowdown of 20 %, which the gate must find
TRIMMED = 0.25  # of the turns at either end: another process took the core from one of the two
RESAMPLES = 1000


@dataclass(frozen=True)
class Crowd:
    """How crowded the machine was, each float (turns, workers), NaN where a worker does not watch.

    held_up: the share of a turn by which others held it up; others: what they had of the cores meanwhile.
    """

    held_up: np.ndarray
    others: np.ndarray

    def shares(self) -> tuple[float | None, float | None]:
        """Of the worker that was held up most, and of the cores; over the turns as they are compared, tails left out.

        None where no worker watches.
        """
        held_up, others = (each[:, ~np.isnan(each).any(axis=0)] for each in (self.held_up, self.others))
        if not held_up.size or not others.size:
            return None, None
        return float(_centre(held_up.T).max()), float(_centre(others.T).mean())


def judge_turns(
    scenario: Scenario,
    base: Sequence[float],
    again: Sequence[float],
    head: Sequence[float],
    crowd: Crowd | None = None,
) -> SpeedJudgement:
    """REGRESSED: slower than the bar and p < 0.01. PASS: the 95 % interval is below a bar of at most 15 %.

    base, again, head: seconds a text of every turn, float (turns,), at least 5; the first two ran the same thing in
    two processes, and the three of a turn answered the same texts, one after the other in random order. Else
    INCONCLUSIVE, and always where other processes held one of the three up for more than 5 % of its turns: at load 12
    on two cores 5 % more work was measured as 12.7 % more time. Turns have texts of their own, so everything is
    compared within them (benchmarks/speed_gate.md).
    """
    base_s, again_s, head_s = (np.asarray(seconds, dtype=float) for seconds in (base, again, head))
    ratios = np.log(head_s) - (np.log(base_s) + np.log(again_s)) / 2
    slowdown = ratio_interval(ratios)
    noise = base_noise(base_s, again_s)
    bar = max(SMALLEST_BAR, NOISES * noise)
    p = aligned_ranks(np.stack([base_s, again_s, head_s], axis=1))
    held_up, others = crowd.shares() if crowd else (None, None)
    if is_beside_others(held_up):
        verdict = Verdict.INCONCLUSIVE
    elif slowdown.value > bar and p < SIGNIFICANT:
        verdict = Verdict.REGRESSED
    elif slowdown.high <= bar <= WIDEST_BAR:
        verdict = Verdict.PASS
    else:
        verdict = Verdict.INCONCLUSIVE
    base_rps = float(2 / (np.mean(base_s) + np.mean(again_s)))
    return SpeedJudgement(
        verdict=verdict,
        scenario=scenario,
        turns=len(head_s),
        slowdown=slowdown,
        noise=noise,
        bar=bar,
        p=p,
        base_rps=base_rps,
        head_rps=float(1 / np.mean(head_s)),
        held_up=held_up,
        others_share=others,
    )


def aligned_ranks(seconds: np.ndarray) -> float:
    """Two-sided p that the last of a turn is as fast as the others, seconds float (turns, processes).

    Mann and Whitney's rank sum, of the seconds over their turn's median, with its distribution over exchanges within
    the turns (the aligned rank test of Hodges and Lehmann 1962). Ranks of the seconds as they are would tell long
    texts from short ones (benchmarks/planned_turns.md).
    """
    from scipy.stats import rankdata

    ranks = rankdata(seconds / np.median(seconds, axis=1, keepdims=True)).reshape(seconds.shape)
    spread = float(np.sqrt(ranks.var(axis=1).sum()))
    beyond = float((ranks[:, -1] - ranks.mean(axis=1)).sum())
    return float(2 * ndtr(-abs(beyond) / spread)) if spread else 1.0


def base_noise(base: np.ndarray, again: np.ndarray) -> float:
    """Root mean square of base against base over the bootstrap: chance between turns, difference between processes."""
    return float(np.sqrt(np.mean(_bootstrap(np.log(again) - np.log(base)) ** 2)))


def ratio_interval(ratios: np.ndarray) -> Interval:
    """The trimmed mean of the turns' log ratios as a change of time, with its seeded percentile bootstrap.

    ratios float (turns,).
    """
    return percentile_interval(float(np.expm1(_centre(ratios))), _bootstrap(ratios))


def _bootstrap(ratios: np.ndarray) -> np.ndarray:
    rows = np.random.default_rng(0).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    return np.expm1(_centre(ratios[rows]))


def _centre(ratios: np.ndarray) -> np.ndarray:
    """The mean of the turns but for a quarter at either end."""
    from scipy.stats import trim_mean

    return np.asarray(trim_mean(ratios, TRIMMED, axis=-1))
