"""When a row's speed is believed: the thresholds of its verdict, from both sides."""

from __future__ import annotations

import pytest
from synthetic_load import load_summary

from bench.execution.cells import judge_speed
from bench.results.records import Status


@pytest.mark.parametrize(("slowest", "status"), [(0.82, Status.OK), (0.79, Status.UNSTABLE), (0.6, Status.UNSTABLE)])
def test_runs_that_differ_by_more_than_a_fifth_of_their_median_are_unstable(slowest: float, status: Status) -> None:
    load = {"single": load_summary("single", (100 * slowest, 100.0, 100.0))}
    assert judge_speed(load, True, None)[0] is status


def test_two_runs_tell_no_spread() -> None:
    assert judge_speed({"single": load_summary("single", (60.0, 100.0))}, True, None) == (Status.OK, None)


def test_a_text_answered_from_a_cache_makes_the_row_invalid() -> None:
    """From which speed-up on, tests/backends/test_endpoint_repeats.py shows."""
    load = {"single": load_summary("single", (100.0,))}
    assert judge_speed(load, True, "from a cache") == (Status.INVALID, "from a cache")


def test_loadgens_verdict_and_a_missing_certificate_make_the_row_invalid() -> None:
    load = {"single": load_summary("single", (100.0,)), "offline": load_summary("offline", (300.0,), valid=False)}
    assert judge_speed(load, True, None) == (Status.INVALID, "offline: INVALID: only 10 queries in 3 s")
    assert judge_speed({}, False, None)[0] is Status.INVALID
