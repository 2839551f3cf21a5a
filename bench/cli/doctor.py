"""What this machine can run, what is missing, and the command that makes it ready."""

from __future__ import annotations

import shutil
import socket
import time
from typing import Any

from bench.files.cache import cache_dir
from bench.machine.environment import default_device, describe_environment
from bench.machine.threads import usable_cores
from bench.plan.catalogue import engine_states

HUB = ("huggingface.co", 443)
HUB_TIMEOUT_S = 2.0


def examine(device: str | None, threads: int | None) -> dict[str, Any]:
    """Everything `bench doctor` shows, JSON-able; touches no model."""
    device = device or default_device()
    return {
        "environment": describe_environment(device, threads or usable_cores()),
        "engines": engine_states(device),
        "cache": _cache_state(),
        "hub": _hub_state(),
    }


def _cache_state() -> dict[str, Any]:
    folder = cache_dir()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    used = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.exists() else 0
    return {"folder": str(folder), "used_bytes": used, "free_bytes": shutil.disk_usage(existing).free}


def _hub_state() -> dict[str, Any]:
    """One short attempt, as the loaders make; models and data then come from packages."""
    started = time.perf_counter()
    try:
        socket.create_connection(HUB, timeout=HUB_TIMEOUT_S).close()
        reachable = True
    except OSError:
        reachable = False
    return {"host": HUB[0], "reachable": reachable, "seconds": round(time.perf_counter() - started, 3)}
