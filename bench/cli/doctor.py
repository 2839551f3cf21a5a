"""What this machine can run, what is missing, and the command that makes it ready."""

from __future__ import annotations

import shutil
import socket
import time
from typing import Any
from urllib.parse import urlsplit

from bench.files.cache import cache_dir
from bench.machine.environment import default_device, describe_environment
from bench.machine.threads import usable_cores
from bench.plan.catalogue import engine_states

DEFAULT_ENDPOINT = "https://huggingface.co"
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
    """One short attempt at the hub, or at the mirror that HF_ENDPOINT names, as the loaders make it."""
    from huggingface_hub import constants

    address = urlsplit(constants.ENDPOINT)
    host = address.hostname or constants.ENDPOINT
    port = address.port or (80 if address.scheme == "http" else 443)
    started = time.perf_counter()
    try:
        socket.create_connection((host, port), timeout=HUB_TIMEOUT_S).close()
        reachable = True
    except OSError:
        reachable = False
    return {
        "host": host if address.port is None else f"{host}:{port}",
        "endpoint": constants.ENDPOINT,
        "mirror": constants.ENDPOINT.rstrip("/") != DEFAULT_ENDPOINT,
        "reachable": reachable,
        "seconds": round(time.perf_counter() - started, 3),
    }
