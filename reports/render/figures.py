"""Prints numbers as the tables show them: no digit that was not measured, "-" where nothing was."""

from __future__ import annotations

import math
from collections.abc import Callable

from bench.results.records import Interval
from reports.render.words import message

MISSING = "-"


def _or_missing(show: Callable[[float], str]) -> Callable[[float | None], str]:
    def shown(value: float | None) -> str:
        return MISSING if value is None or not math.isfinite(value) else show(value)

    return shown


def _three_digits(value: float) -> str:
    """Three significant digits; from 100 on whole numbers with thousands separated."""
    if abs(value) >= 99.95:
        return f"{value:,.0f}"
    if abs(value) >= 9.995:
        return f"{value:.1f}"
    if abs(value) >= 0.9995:
        return f"{value:.2f}"
    if value == 0:
        return "0"
    if abs(value) >= 0.001:
        return f"{value:.3f}"
    return f"{value:.1e}"


def _duration(seconds: float) -> str:
    if 0 < seconds < 0.001:
        return "<0.001 s"
    if seconds < 120:
        return f"{_three_digits(seconds)} s"
    if seconds < 7200:
        return f"{_three_digits(seconds / 60)} min"
    return f"{_three_digits(seconds / 3600)} h"


def _floor_percent(value: float) -> str:
    """Rounded down, so that 100 % means all of them."""
    return f"{math.floor(value * 10_000 + 1e-9) / 100:.2f} %"


def _ceil_percent(value: float) -> str:
    """Rounded up, so that a bound stays one."""
    return f"{math.ceil(value * 10_000 - 1e-9) / 100:.2f} %"


def _bytes(value: float) -> str:
    if value < 1e6:
        return f"{_three_digits(value / 1e3)} kB"
    return f"{_three_digits(value / 1e6)} MB" if value < 1e9 else f"{_three_digits(value / 1e9)} GB"


number = _or_missing(_three_digits)
count = _or_missing(lambda value: f"{value:,.0f}")
score = _or_missing(lambda value: f"{value:.3f}")
loss = _or_missing(lambda value: f"{value:.4f}")
percent = _or_missing(lambda value: f"{value:.1%}".replace("%", " %"))
floor_percent = _or_missing(_floor_percent)
ceil_percent = _or_missing(_ceil_percent)
duration = _or_missing(_duration)
size = _or_missing(_bytes)
points = _or_missing(lambda value: f"{round(100 * value, 2) + 0.0:.2f}")
ratio = _or_missing(lambda value: f"{_three_digits(value)}x")


def p_value(value: float) -> str:
    """Three decimals, the last one rounded up, so that 0.050 is never printed for a p above it."""
    return "<0.001" if value < 0.001 else f"{math.ceil(value * 1000 - 1e-9) / 1000:.3f}"


def p_relation(value: float) -> str:
    """What stands behind the letter p in a sentence: "= 0.012", "<0.001"."""
    return p_value(value) if value < 0.001 else f"= {p_value(value)}"


def plus_minus(figure: Interval) -> str:
    """The value and the larger half of its 95 % interval; "±?" where there is none."""
    if figure.items_needed is not None:
        return f"{figure.value:.3f} ±?"
    return f"{figure.value:.3f} ±{max(figure.high - figure.value, figure.value - figure.low):.3f}"


def threshold(value: float) -> str:
    """Four decimals, rounded down, so that no answer that reached the threshold misses the printed one."""
    return f"{math.floor(value * 10_000) / 10_000:.4f}"


def percent_plus_minus(figure: Interval) -> str:
    """A share in per cent and the larger half of its 95 % interval in points."""
    half = max(figure.high - figure.value, figure.value - figure.low)
    return f"{100 * figure.value:.1f} % ±{100 * half:.1f}"


def bounds(figure: Interval) -> str:
    """Both ends of the 95 % interval; where there is none, how many items it takes."""
    if figure.items_needed is not None:
        return message("needs about {n:,} texts", n=figure.items_needed)
    return f"{figure.low:.3f} to {figure.high:.3f}"


def span(low: float, high: float) -> str:
    """The range of several runs."""
    return f"{_three_digits(low)} to {_three_digits(high)}"
