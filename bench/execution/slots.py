"""Divides this machine among workers: an even share of its cores each, and a GPU each where they have some."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bench.errors import UsageError
from bench.execution.crew import Slot

TOPOLOGY = Path("/sys/devices/system/cpu")


def slots_of(devices: str | None, jobs: int | None) -> list[Slot]:
    """One worker a device of --devices, or --jobs of them; raises UsageError where they cannot have a core each.

    devices: "cuda:0,cuda:1"; a number may be given once.
    """
    gpus = gpu_numbers(devices) if devices else None
    if gpus and jobs and jobs != len(gpus):
        raise UsageError(f"--jobs {jobs} and --devices {devices}: a worker a GPU; leave --jobs out")
    count = len(gpus) if gpus else jobs or 1
    shares = core_shares(count)
    if gpus is None:
        return [Slot(f"job-{at + 1}", share, {}) for at, share in enumerate(shares)]
    return [
        Slot(f"cuda-{gpu}", share, {"CUDA_VISIBLE_DEVICES": gpu, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
        for gpu, share in zip(gpus, shares, strict=True)
    ]


def gpu_numbers(devices: str) -> list[str]:
    """ "cuda:0,cuda:1" as ["0", "1"]; raises UsageError."""
    numbers = []
    for name in (part.strip() for part in devices.split(",")):
        kind, _, number = name.partition(":")
        if kind != "cuda" or not number.isdecimal() or str(int(number)) in numbers:
            raise UsageError(f"--devices {devices}: name each GPU once, as in cuda:0,cuda:1")
        numbers.append(str(int(number)))
    return numbers


def core_shares(count: int) -> list[tuple[int, ...] | None]:
    """As many cores for each, by their first logical processors; None each where a system cannot hold them to it.

    Cores that do not divide evenly are left over, so that all workers are alike.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [None] * count
    cores = _cores(sorted(os.sched_getaffinity(0)))
    each = len(cores) // count
    if each == 0:
        raise UsageError(f"{count} workers on {len(cores)} cores: each needs one of its own; take fewer")
    shares = [cores[at * each : (at + 1) * each] for at in range(count)]
    return [tuple(core[0] for core in share) for share in shares]


def _cores(cpus: Sequence[int]) -> list[tuple[int, ...]]:
    """Processors by core; each its own where the system does not say."""
    found: dict[str, list[int]] = {}
    for cpu in cpus:
        try:
            siblings = (TOPOLOGY / f"cpu{cpu}/topology/thread_siblings_list").read_text(encoding="ascii").strip()
        except OSError:
            siblings = str(cpu)
        found.setdefault(siblings, []).append(cpu)
    return [tuple(core) for core in found.values()]
