"""Has a row become worse? The rule of the quality gate, on answers to the same test items."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from bench.quality.stats import percentile_interval
from bench.results.records import Interval
from bench.results.verdicts import Judgement, SpeedJudgement, Verdict
from bench.types import Scenario

SMALLEST_MARGIN = 0.003
POWER = 2.8  # standard errors: 1.96 for the 95 % interval and 0.84 for 80 % power
Z95 = 1.959963984540054
SMALLEST_BAR = 0.10
NOISES = 2.0
SIGNIFICANT = 0.01
WIDEST_BAR = 0.15  # a wider bar could not be told from a slowdown of 20 %, which the gate must find
RESAMPLES = 1000


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


def judge_turns(
    scenario: Scenario, base: Sequence[float], again: Sequence[float], head: Sequence[float]
) -> SpeedJudgement:
    """REGRESSED: slower than the bar and p < 0.01. PASS: the 95 % interval is below a bar of at most 15 %.

    base, again, head: seconds a text of every turn, float (turns,), at least 5; the first two ran the same thing in
    two processes, and the three of a turn followed each other in random order. Else INCONCLUSIVE.
    """
    base_s, again_s, head_s = (np.asarray(seconds, dtype=float) for seconds in (base, again, head))
    slowdown = ratio_interval(head_s, np.stack([base_s, again_s], axis=1))
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
    """Root mean square of base against base over the bootstrap: chance between turns, difference between processes."""
    return float(np.sqrt(np.mean(_bootstrap(again, base) ** 2)))


def ratio_interval(seconds: np.ndarray, reference: np.ndarray) -> Interval:
    """Lower quartile of seconds over that of reference, minus 1, with its seeded percentile bootstrap over the turns.

    seconds float (turns,), reference float (turns,) or (turns, 2). Every turn computes the same, and other processes
    only ever add time, so the lower quartile varies less than the median.
    """
    value = _quartile(seconds) / _quartile(reference.ravel()) - 1
    return percentile_interval(float(value), _bootstrap(seconds, reference))


def _bootstrap(seconds: np.ndarray, reference: np.ndarray) -> np.ndarray:
    reference = reference.reshape(len(seconds), -1)
    rows = np.random.default_rng(0).integers(0, len(seconds), (RESAMPLES, len(seconds)))
    return _quartile(seconds[rows]) / _quartile(reference[rows].reshape(RESAMPLES, -1)) - 1


def _quartile(seconds: np.ndarray) -> np.ndarray:
    """The value that a quarter of the turns stay within; partitioning is ten times faster than interpolating."""
    place = (seconds.shape[-1] - 1) // 4
    return np.asarray(np.partition(seconds, place, axis=-1)[..., place])
