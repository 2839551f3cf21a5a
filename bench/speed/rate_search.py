"""Searches the highest rate that holds: doubling, bisection, three confirmations, a step down when one fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CONFIRMATIONS = 3
FEWEST_TRIES = 2  # a probe that failed for a passing disturbance would cap the search for good
STEPS_DOWN = (0.05, 0.05, 0.1, 0.1, 0.2, 0.2)  # to half of what held once: below, it is not the engine that is slow


@dataclass(frozen=True)
class Trial:
    """How one run at a rate went; `hopeless` when there is no point in trying the same rate again."""

    held: bool
    hopeless: bool = False


Try = Callable[[float], Trial]


@dataclass(frozen=True)
class Bounds:
    """Where to look, in requests/s; bisection ends when the interval is narrower than `resolution` of its lower end."""

    start_rps: float
    lowest_rps: float
    highest_rps: float
    resolution: float


def highest_holding(probe: Try, bounds: Bounds, out_of_time: Callable[[], bool]) -> float | None:
    """The highest rate at which a probe held; None when none did down to the lowest.

    Doubles from the start while probes hold (halves while they do not), then bisects. Out of time, bisection ends and
    what has held so far is taken.
    """
    low, high = _bracket(probe, bounds)
    if low is None:
        return None
    while high is not None and high - low > bounds.resolution * low and not out_of_time():
        middle = (low + high) / 2
        if _holds(probe, middle):
            low = middle
        else:
            high = middle
    return low


def confirm_rate(confirm: Try, rate_rps: float, lowest_rps: float) -> float | None:
    """The first rate from `rate_rps` downwards whose three confirmations all hold; None when the steps run out."""
    for step in (*STEPS_DOWN, None):
        if all(confirm(rate_rps).held for _ in range(CONFIRMATIONS)):
            return rate_rps
        if step is None or rate_rps * (1 - step) < lowest_rps:
            return None
        rate_rps *= 1 - step
    return None


def _bracket(probe: Try, bounds: Bounds) -> tuple[float | None, float | None]:
    """A rate that holds and one that does not; None for the one that was not met within the bounds."""
    rate = min(max(bounds.start_rps, bounds.lowest_rps), bounds.highest_rps)
    if _holds(probe, rate):
        low = rate
        while low < bounds.highest_rps:
            rate = min(2 * low, bounds.highest_rps)
            if not _holds(probe, rate):
                return low, rate
            low = rate
        return low, None
    high = rate
    while high > bounds.lowest_rps:
        rate = max(high / 2, bounds.lowest_rps)
        if _holds(probe, rate):
            return rate, high
        high = rate
    return None, high


def _holds(probe: Try, rate_rps: float) -> bool:
    for _ in range(FEWEST_TRIES):
        trial = probe(rate_rps)
        if trial.held or trial.hopeless:
            return trial.held
    return False
