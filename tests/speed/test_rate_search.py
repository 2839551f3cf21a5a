"""The search for the highest rate, against machines whose true limit is known."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.speed.rate_search import CONFIRMATIONS, Bounds, Trial, confirm_rate, highest_holding


def machine(limit_rps: float) -> Callable[[float], Trial]:
    return lambda rate: Trial(rate <= limit_rps)


def never() -> bool:
    return False


@given(limit=st.floats(1.0, 5000.0), start=st.floats(0.5, 8000.0))
def test_the_limit_is_found_from_any_start(limit: float, start: float) -> None:
    bounds = Bounds(start, lowest_rps=0.5, highest_rps=10_000, resolution=0.05)
    found = highest_holding(machine(limit), bounds, never)
    assert found is not None
    assert limit / 1.06 <= found <= limit


def test_no_rate_and_every_rate() -> None:
    bounds = Bounds(100, lowest_rps=10, highest_rps=1000, resolution=0.05)
    assert highest_holding(machine(5), bounds, never) is None
    assert highest_holding(machine(1e9), bounds, never) == 1000


def test_out_of_time_takes_what_has_held() -> None:
    bounds = Bounds(100, lowest_rps=10, highest_rps=10_000, resolution=0.01)
    assert highest_holding(machine(390), bounds, lambda: True) == 200


def test_one_disturbed_probe_does_not_cap_the_search() -> None:
    tried: list[float] = []

    def disturbed_at_first(rate: float) -> Trial:
        tried.append(rate)
        return Trial(rate <= 800 and len(tried) > 1)

    found = highest_holding(disturbed_at_first, Bounds(100, 10, 10_000, 0.05), never)
    assert found == pytest.approx(800, rel=0.06)
    assert tried[:2] == [100, 100]


def test_an_overloaded_rate_is_tried_once() -> None:
    tried: list[float] = []

    def overloaded(rate: float) -> Trial:
        tried.append(rate)
        return Trial(rate <= 100, hopeless=rate > 100)

    highest_holding(overloaded, Bounds(100, 10, 10_000, 0.05), never)
    assert len(tried) == len(set(tried))


def test_three_confirmations_of_one_rate_or_a_step_down() -> None:
    tried: list[float] = []

    def third_fails_at_the_top(rate: float) -> Trial:
        tried.append(rate)
        return Trial(not (rate > 99 and len(tried) == CONFIRMATIONS))

    assert confirm_rate(third_fails_at_the_top, 100, 1) == pytest.approx(95)
    assert tried == [100] * 3 + [95] * 3


def test_steps_down_end() -> None:
    tried: list[float] = []

    def none(rate: float) -> Trial:
        tried.append(rate)
        return Trial(False)

    assert confirm_rate(none, 100, 1) is None
    assert tried == sorted(tried, reverse=True)
    assert len(tried) == len(set(tried)) == 7
    assert confirm_rate(none, 100, 99) is None
