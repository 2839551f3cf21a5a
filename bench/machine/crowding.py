"""Tells what other processes took of a measurement: how long it waited for a core, and what they used of all cores."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.types import Record

BESIDE_OTHERS = 0.05  # half the least slowdown that the speed gate calls one: waiting alone cannot make it look slower
FULL = 0.95  # of all cores: with less to do, nobody has to wait
NS_PER_S = 1e9
Thread = tuple[int, int]  # ids of a process and of one of its threads


def is_beside_others(held_up: float | None) -> bool:
    """Whether so large a share was held up by others that times are none of this machine: for rows and for gates.

    None: nobody watched.
    """
    return held_up is not None and held_up > BESIDE_OTHERS


class Crowding(Record):
    """What other processes took meanwhile.

    waited_share: of the time, what the thread that waited longest spent ready to run without a core; None where the
    system does not count it. others_share: of the processor time of the cores that this process may use, what other
    processes had; stolen_share: what other virtual machines had of it. full: whether the cores were busy all the time.
    """

    waited_share: float | None
    others_share: float
    stolen_share: float
    cores: int
    full: bool

    @property
    def held_up(self) -> float:
        """The share of its time by which the measurement may have been held up by others.

        Threads also wait for those of their own process, so that it is at most the time that others ran. Where nobody
        counts waiting, others may have had all that they took at the measurement's cost, if no core was free.
        """
        if self.waited_share is None:
            return self.others_share if self.full else self.stolen_share
        return max(self.stolen_share, min(self.waited_share, self.others_share * self.cores))

    @property
    def beside_others(self) -> bool:
        """Whether its times are those of a machine that others had a part of."""
        return is_beside_others(self.held_up)

    @property
    def described(self) -> str:
        """In words, for a row's reason."""
        return (
            f"measured beside others: other processes had {self.others_share:.0%} of the cores and held it up for "
            f"{self.held_up:.0%} of its time"
        )


@dataclass(frozen=True)
class Reading:
    """Seconds so far: of a clock, of all cores' work and what was stolen of it, of this process' family; its threads.

    threads: nanoseconds that each waited, ready to run; None where the system does not count them.
    """

    clock_s: float
    busy_s: float
    stolen_s: float
    own_s: float
    threads: Mapping[Thread, int] | None


class CrowdClock:
    """Watches this process and those that it has started by now."""

    def __init__(self) -> None:
        self._cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        self._family = [psutil.Process(), *psutil.Process().children(recursive=True)]
        self._began = self._now()

    def read(self) -> Crowding:
        """What was taken since the clock was made."""
        return compare_readings(self._began, self._now(), len(self._cpus or ()) or psutil.cpu_count() or 1)

    def _now(self) -> Reading:
        every = psutil.cpu_times(percpu=True)
        mine = [every[cpu] for cpu in self._cpus if cpu < len(every)] if self._cpus else every
        stolen_s = sum(getattr(times, "steal", 0.0) for times in mine)
        busy_s = sum(times.user + times.nice + times.system for times in mine) + stolen_s
        threads = [thread for process in self._family for thread in _threads(process.pid)]
        counted = any(times for *_, times in threads)
        return Reading(
            clock_s=time.monotonic(),
            busy_s=busy_s,
            stolen_s=stolen_s,
            own_s=sum(map(_cpu_s, self._family)),
            threads={name: waited_ns for name, waited_ns, _ in threads} if counted else None,
        )


def _threads(pid: int) -> Iterator[tuple[Thread, int, int]]:
    """A process' threads, nanoseconds waited, and how many times each was given a core."""
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            _, waited_ns, times = map(int, file.read_text().split())
        except (OSError, ValueError):  # the thread is gone
            continue
        yield (pid, int(file.parent.name)), waited_ns, times


def _cpu_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:  # it ended
        return 0.0
    return float(times.user + times.system)


def compare_readings(before: Reading, after: Reading, cores: int) -> Crowding:
    """What happened between two readings; a thread that is new had neither run nor waited."""
    wall_s = max(after.clock_s - before.clock_s, 1e-9)
    busy_s, own_s = after.busy_s - before.busy_s, after.own_s - before.own_s
    waited = None
    if before.threads is not None and after.threads is not None:
        waits_ns = (ns - before.threads.get(name, 0) for name, ns in after.threads.items())
        waited = min(1.0, max(0, *waits_ns) / NS_PER_S / wall_s)
    return Crowding(
        waited_share=waited,
        others_share=min(1.0, max(0.0, (busy_s - own_s) / (wall_s * cores))),
        stolen_share=min(1.0, max(0.0, (after.stolen_s - before.stolen_s) / (wall_s * cores))),
        cores=cores,
        full=busy_s / (wall_s * cores) > FULL,
    )
