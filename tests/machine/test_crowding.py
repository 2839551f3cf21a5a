"""What other processes took of a measurement: the rule on readings, and the readings of this system."""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from bench.machine.crowding import (
    BESIDE_OTHERS,
    CrowdClock,
    Crowding,
    Reading,
    _cpu_s,
    _threads,
    compare_readings,
    is_beside_others,
)

MAIN, POOL, NEW = (7, 7), (7, 8), (7, 9)


def reading(
    clock_s: float, busy_s: float, own_s: float, waited_s: dict[tuple[int, int], float] | None, stolen_s: float = 0.0
) -> Reading:
    threads = None if waited_s is None else {name: round(1e9 * seconds) for name, seconds in waited_s.items()}
    return Reading(clock_s, busy_s, stolen_s, own_s, threads)


def crowding(waited_share: float | None, others_share: float, stolen_share: float = 0.0, full: bool = True) -> Crowding:
    return Crowding(waited_share=waited_share, others_share=others_share, stolen_share=stolen_share, cores=2, full=full)


def test_the_thread_that_waited_longest_speaks() -> None:
    before = reading(10.0, 100.0, 20.0, {MAIN: 1.0, POOL: 5.0})
    after = reading(14.0, 108.0, 22.0, {MAIN: 2.0, POOL: 5.5, NEW: 0.4})
    found = compare_readings(before, after, cores=2)
    assert found.waited_share == pytest.approx(0.25)
    assert found.others_share == pytest.approx(0.75)
    assert found.full
    assert found.held_up == pytest.approx(0.25)
    assert found.beside_others


def test_a_thread_that_began_meanwhile_waited_from_nothing() -> None:
    before, after = reading(0, 0, 0, {MAIN: 0.0}), reading(1, 2, 0, {MAIN: 0.0, NEW: 0.3})
    assert compare_readings(before, after, cores=2).waited_share == pytest.approx(0.3)


def test_threads_that_wait_for_each_other_are_not_beside_others() -> None:
    """A server's load generator and its engine share the cores; nobody else did anything."""
    found = compare_readings(reading(0, 0, 0, {MAIN: 0.0}), reading(2, 4.0, 3.96, {MAIN: 0.9}), cores=2)
    assert found.waited_share == pytest.approx(0.45)
    assert found.held_up == pytest.approx(0.02)
    assert not found.beside_others


def test_others_on_free_cores_hold_nobody_up() -> None:
    assert not crowding(0.01, 0.5).beside_others
    assert not crowding(None, 0.4, full=False).beside_others


def test_where_waiting_is_not_counted_full_cores_speak() -> None:
    assert crowding(None, 0.4).held_up == pytest.approx(0.4)
    uncounted = compare_readings(reading(0, 0, 0, None), reading(1, 1.99, 1.0, None), cores=2)
    assert uncounted.waited_share is None
    assert uncounted.beside_others


def test_what_other_virtual_machines_stole_counts() -> None:
    found = compare_readings(reading(0, 0, 0, {MAIN: 0.0}), reading(1, 1.2, 1.0, {MAIN: 0.0}, stolen_s=0.2), cores=2)
    assert found.held_up == pytest.approx(0.1)
    assert crowding(None, 0.1, stolen_share=0.1, full=False).beside_others


@pytest.mark.parametrize(("held_up", "beside"), [(None, False), (0.0, False), (BESIDE_OTHERS, False), (0.051, True)])
def test_the_one_rule(held_up: float | None, beside: bool) -> None:
    assert is_beside_others(held_up) is beside


def test_clocks_that_stand_still_or_run_back_break_nothing() -> None:
    found = compare_readings(reading(5, 9, 9, {MAIN: 2.0}), reading(5, 8, 9, {MAIN: 1.0}), cores=2)
    assert 0 <= found.others_share <= 1
    assert found.waited_share == 0


def test_no_share_is_more_than_all() -> None:
    """Clocks of different steps: ticks of a hundredth of a second beside nanoseconds."""
    found = compare_readings(reading(0, 0, 0, {MAIN: 0.0}), reading(1, 4, 0, {MAIN: 1.5}, stolen_s=5), cores=2)
    assert (found.waited_share, found.others_share, found.stolen_share) == (1.0, 1.0, 1.0)


def test_the_cores_of_this_process_are_read_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def times(user: float, system: float = 0.0, nice: float = 0.0, steal: float = 0.0) -> SimpleNamespace:
        return SimpleNamespace(user=user, system=system, nice=nice, steal=steal, idle=1e6)

    cores = [times(90.0), times(1.0, 20.0, 300.0, 4000.0), times(5.0, steal=7.0)]
    own = SimpleNamespace(pid=os.getpid(), children=lambda recursive: [], cpu_times=lambda: times(3.0, 0.5))
    monkeypatch.setattr("bench.machine.crowding.os.sched_getaffinity", lambda _: {1, 2, 7}, raising=False)
    monkeypatch.setattr("bench.machine.crowding.psutil.cpu_times", lambda percpu: cores)
    monkeypatch.setattr("bench.machine.crowding.psutil.Process", lambda: own)
    clock = CrowdClock()
    before = clock._began
    assert (before.busy_s, before.stolen_s, before.own_s) == (4333.0, 4007.0, 3.5)
    assert clock.read().cores == 3


def test_a_process_that_ended_meanwhile_took_nothing() -> None:
    gone = psutil.Popen([sys.executable, "-c", "pass"])
    gone.wait()
    assert _cpu_s(gone) == 0.0
    assert list(_threads(gone.pid)) == []


def test_this_system_is_read() -> None:
    clock = CrowdClock()
    until = time.monotonic() + 0.05
    while time.monotonic() < until:
        pass
    found = clock.read()
    assert 0 <= found.others_share <= 1
    assert found.waited_share is None or 0 <= found.waited_share <= 1
    assert 0 <= found.held_up <= 1
