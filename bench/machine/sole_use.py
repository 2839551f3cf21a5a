"""Gives one measurement the whole machine: a lock that all shards of a machine share."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.errors import StoreError

FOLDER = "BENCH_MACHINE_LOCK"  # a folder that all jobs of the machine see, where /tmp is each job's own
DOOR, ROOM = "bench-machine{}.door.lock", "bench-machine{}.room.lock"


@contextmanager
def machine_held(alone: bool, gpu: str | None = None) -> Iterator[None]:
    """Wait for the machine, or for one GPU of it: alone, or beside others that need not be alone.

    gpu: what CUDA_VISIBLE_DEVICES calls it, where it is all that is measured; others may use the rest of the machine.
    Who waits to be alone holds the door meanwhile, so that newcomers queue behind. Raises StoreError where the lock's
    folder cannot be used.
    """
    with ExitStack() as stack:
        stack.enter_context(_held("", alone and gpu is None))
        if gpu is not None:
            stack.enter_context(_held(f".gpu-{re.sub(r'[^A-Za-z0-9-]', '-', gpu)}", alone))
        yield


@contextmanager
def _held(what: str, alone: bool) -> Iterator[None]:
    with _open(DOOR.format(what)) as door, _open(ROOM.format(what)) as room:
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
