"""Keeps the memory of one batch for the next, and reads how much a process has taken at most."""

from __future__ import annotations

import ctypes
import resource
import sys
from pathlib import Path

_M_TRIM_THRESHOLD = -1  # malloc.h
_M_MMAP_THRESHOLD = -3
_LARGEST_MMAP_THRESHOLD_BYTES = 32 << 20  # glibc refuses more
_TRIM_THRESHOLD_BYTES = 2_000_000_000


def keep_freed_memory() -> bool:
    """Tell glibc not to give freed activations back to the kernel, for the rest of this process.

    By default every batch faults its activations in anew: 200 to 300 page faults a text on MiniLM, 7 % of the time.
    Returns whether it could be set (False where the C library is not glibc).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # musl
        return False
    kept = mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD_BYTES)
    return bool(kept and mallopt(_M_TRIM_THRESHOLD, _TRIM_THRESHOLD_BYTES))


def peak_bytes(pid: int | None = None) -> int:
    """The most memory that a process (None: this one) has had since it began its program; 0 for one that is gone.

    Linux counts a process's own in /proc: getrusage would count that of the program before it, which started this one.
    """
    status = Path("/proc") / str(pid or "self") / "status"
    try:
        lines = status.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    if pid is not None:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
