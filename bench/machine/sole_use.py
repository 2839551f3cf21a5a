"""Gives one measurement the whole machine: a lock that all shards of a machine share."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from bench.errors import StoreError

FOLDER = "BENCH_MACHINE_LOCK"  # a folder that all jobs of the machine see, where /tmp is each job's own
DOOR, ROOM = "bench-machine.door.lock", "bench-machine.room.lock"


@contextmanager
def machine_held(alone: bool) -> Iterator[None]:
    """Wait for the machine: alone, or beside others that need not be alone.

    Who waits to be alone holds the door meanwhile, so that newcomers queue behind. Raises StoreError where the lock's
    folder cannot be used.
    """
    with ExitStack() as stack:
        door, room = stack.enter_context(_open(DOOR)), stack.enter_context(_open(ROOM))
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@contextmanager
def _open(name: str) -> Iterator[int]:
    """A file that every user may lock; made once, because a system may forbid O_CREAT on another user's file."""
    path = Path(os.environ.get(FOLDER) or "/tmp") / name  # noqa: S108 - the machine's own place, whatever TMPDIR says
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            handle = os.open(path, flags)
        except FileNotFoundError:
            handle = os.open(path, flags | os.O_CREAT, 0o666)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be opened ({error.strerror}): shards of one machine take turns by it; set {FOLDER} to a "
            "folder that all of them see"
        ) from error
    try:
        yield handle
    finally:
        os.close(handle)


class OthersClock:
    """Measures what processes other than a job take of the processors that this process may use."""

    def __init__(self) -> None:
        self._cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        self._began, self._busy_s = time.monotonic(), self._busy()

    def share(self, own_s: float) -> float:
        """The share of all processor time since the start that is not the job's own_s; 0 to 1."""
        wall_s = time.monotonic() - self._began
        count = len(self._cpus) if self._cpus else (psutil.cpu_count() or 1)
        return min(1.0, max(0.0, (self._busy() - self._busy_s - own_s) / max(wall_s * count, 1e-9)))

    def _busy(self) -> float:
        every = psutil.cpu_times(percpu=True)
        mine = [every[cpu] for cpu in self._cpus if cpu < len(every)] if self._cpus else every
        return sum(times.user + times.nice + times.system + getattr(times, "steal", 0.0) for times in mine)
