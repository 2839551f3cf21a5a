"""When a row's speed is believed: the thresholds of its verdict, from both sides."""

from __future__ import annotations

import pytest
from measured_parts import measured_part
from synthetic_load import beside_others, load_summary
from synthetic_runs import full_run

from bench.execution.cells import answered_from_cache, judge_speed
from bench.execution.sharing import is_settled
from bench.results.records import Status
from bench.types import REMOTE


@pytest.mark.parametrize(("slowest", "status"), [(0.82, Status.OK), (0.79, Status.UNSTABLE), (0.6, Status.UNSTABLE)])
def test_runs_that_differ_by_more_than_a_fifth_of_their_median_are_unstable(slowest: float, status: Status) -> None:
    load = {"single": load_summary("single", (100 * slowest, 100.0, 100.0))}
    assert judge_speed(load, True, None, shared=False)[0] is status


def test_two_runs_tell_no_spread() -> None:
    assert judge_speed({"single": load_summary("single", (60.0, 100.0))}, True, None, shared=False) == (Status.OK, None)


def test_a_text_answered_from_a_cache_makes_the_row_invalid() -> None:
    load = {"single": load_summary("single", (100.0,))}
    assert judge_speed(load, True, "from a cache", shared=False) == (Status.INVALID, "from a cache")


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
    assert judge_speed(load, True, None, shared=False) == (Status.INVALID, "offline: INVALID: only 10 queries in 3 s")
    assert judge_speed({}, False, None, shared=False)[0] is Status.INVALID


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("waited", "beside"), [(0.04, False), (0.3, True)])
def test_a_row_beside_others_is_marked_and_in_a_shared_run_it_has_no_rate(
    waited: float, beside: bool, shared: bool
) -> None:
    load = {
        "single": load_summary("single", (100.0,)),
        "offline": beside_others(load_summary("offline", (9.0,)), waited),
    }
    status, reason = judge_speed(load, True, None, shared)
    assert load["offline"].beside_others is beside
    assert not load["single"].beside_others
    if beside and shared:
        said = "measured beside others: other processes had 83% of the cores and held it up for 30% of its time"
        assert (status, reason) == (Status.UNSTABLE, said)
    else:
        assert (status, reason) == (Status.OK, None)


def test_retry_measures_a_row_beside_others_again() -> None:
    row = full_run().results[0]
    assert is_settled(row)
    assert not is_settled(row.model_copy(update={"beside_others": True}))


def test_the_run_that_was_held_up_most_speaks_for_all() -> None:
    quiet, loud = load_summary("single", (1.0, 2.0)), beside_others(load_summary("single", (3.0,)), 0.5)
    mixed = quiet.model_copy(update={"runs": (*quiet.runs, *loud.runs)})
    assert mixed.crowding is not None
    assert mixed.crowding.held_up == 0.5
    assert quiet.crowding is None
