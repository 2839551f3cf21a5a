"""Has a row become slower? The rule of the speed gate, on turns of base, base again and head that took turns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from bench.gate import SpeedJudgement, Verdict
from bench.results import Interval
from bench.stats import percentile_interval
from bench.types import Scenario

SMALLEST_BAR = 0.10
NOISES = 2.0
SIGNIFICANT = 0.01
WIDEST_BAR = 0.15  # a wider bar could not be told from a slowdown of 20 %, which the gate must find
RESAMPLES = 2000


def judge_turns(
    scenario: Scenario, base: Sequence[float], again: Sequence[float], head: Sequence[float]
) -> SpeedJudgement:
    """REGRESSED: slower than the bar and p < 0.01. PASS: the 95 % interval is below a bar of at most 15 %.

    base, again, head: seconds a text of every turn, float (turns,), at least 5; the first two ran the same thing in
    two processes, and the three of a turn followed each other in random order. Else INCONCLUSIVE.
    """
    base_s, again_s, head_s = (np.asarray(seconds, dtype=float) for seconds in (base, again, head))
    slowdown = ratio_interval(head_s, np.sqrt(base_s * again_s))
    noise = base_noise(base_s, again_s)
    bar = max(SMALLEST_BAR, NOISES * noise)
    p = float(stats.mannwhitneyu(head_s, np.concatenate([base_s, again_s])).pvalue)
    if slowdown.value > bar and p < SIGNIFICANT:
        verdict = Verdict.REGRESSED
    elif slowdown.high <= bar <= WIDEST_BAR:
        verdict = Verdict.PASS
    else:
        verdict = Verdict.INCONCLUSIVE
    return SpeedJudgement(
        verdict=verdict,
        scenario=scenario,
        turns=len(head_s),
        slowdown=slowdown,
        noise=noise,
        bar=bar,
        p=p,
        base_rps=float(1 / np.median(np.concatenate([base_s, again_s]))),
        head_rps=float(1 / np.median(head_s)),
    )


def base_noise(base: np.ndarray, again: np.ndarray) -> float:
    """How far the 95 % interval of base against base reaches from 0: chance between turns and between processes."""
    interval = ratio_interval(again, base)
    return max(abs(interval.low), abs(interval.high))


def ratio_interval(seconds: np.ndarray, reference: np.ndarray) -> Interval:
    """Median over the turns of seconds / reference, minus 1, with its seeded percentile bootstrap over the turns."""
    logs = np.log(seconds) - np.log(reference)
    rows = np.random.default_rng(0).integers(0, len(logs), (RESAMPLES, len(logs)))
    samples = np.expm1(np.median(logs[rows], axis=1))
    return percentile_interval(float(np.expm1(np.median(logs))), samples)
