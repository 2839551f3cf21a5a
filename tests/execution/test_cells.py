"""When a row's speed is believed: the thresholds of its verdict, from both sides."""

from __future__ import annotations

import pytest
from measured_parts import measured_part
from synthetic_load import load_summary

from bench.execution.cells import answered_from_cache, judge_speed
from bench.results.records import Status
from bench.types import REMOTE


@pytest.mark.parametrize(("slowest", "status"), [(0.82, Status.OK), (0.79, Status.UNSTABLE), (0.6, Status.UNSTABLE)])
def test_runs_that_differ_by_more_than_a_fifth_of_their_median_are_unstable(slowest: float, status: Status) -> None:
    load = {"single": load_summary("single", (100 * slowest, 100.0, 100.0))}
    assert judge_speed(load, True, None)[0] is status


def test_two_runs_tell_no_spread() -> None:
    assert judge_speed({"single": load_summary("single", (60.0, 100.0))}, True, None) == (Status.OK, None)


def test_a_text_answered_from_a_cache_makes_the_row_invalid() -> None:
    load = {"single": load_summary("single", (100.0,))}
    assert judge_speed(load, True, "from a cache") == (Status.INVALID, "from a cache")


@pytest.mark.parametrize(
    ("device", "least", "found"),
    [
        ("cpu", None, False),
        ("cpu", 1.45, False),
        ("cpu", 1.55, True),
        ("cpu", 3.0, True),
        ("cuda", 1.45, False),
        ("cuda", 1.55, True),
        (REMOTE, 1.1, False),
        (REMOTE, 1.2, True),
    ],
)
def test_the_low_end_of_the_speed_up_says_whether_answers_come_from_a_cache(
    device: str, least: float | None, found: bool
) -> None:
    part = measured_part(device, repeat_speedup=50.0)
    honest = part.model_copy(update={"least_repeat_speedup": 1.0})
    suspect = part.model_copy(update={"least_repeat_speedup": least})
    said = answered_from_cache([honest, suspect])
    assert (said is not None) is found
    assert answered_from_cache([honest]) is None
    if found:
        assert "50 times faster the second time: from a cache" in str(said)


def test_loadgens_verdict_and_a_missing_certificate_make_the_row_invalid() -> None:
    load = {"single": load_summary("single", (100.0,)), "offline": load_summary("offline", (300.0,), valid=False)}
    assert judge_speed(load, True, None) == (Status.INVALID, "offline: INVALID: only 10 queries in 3 s")
    assert judge_speed({}, False, None)[0] is Status.INVALID
