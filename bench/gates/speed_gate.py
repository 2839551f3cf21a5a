"""Has a row become slower? The rule of the speed gate, on turns of base, base again and head that took turns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from bench.gates.rules import SpeedJudgement, Verdict
from bench.quality.stats import percentile_interval
from bench.results.records import Interval
from bench.types import Scenario

SMALLEST_BAR = 0.10
NOISES = 2.0
SIGNIFICANT = 0.01
WIDEST_BAR = 0.15  # a wider bar could not be told from a slowdown of 20 %, which the gate must find
RESAMPLES = 1000


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
