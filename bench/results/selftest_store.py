"""Where the last self-test of this version on this machine is kept, and what the reports of later runs say of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bench
from bench.errors import StoreError
from bench.files.cache import cache_dir
from bench.machine.environment import hardware_fingerprint
from bench.results.selftest import SelfTest
from bench.results.store import read_record, write_record


def store_selftest(record: SelfTest) -> None:
    """Keep it for the runs to come."""
    write_record(_path(), record)


def last_selftest() -> dict[str, Any] | None:
    """JSON-able, for a run's environment; None where no self-test of this version ran on this machine."""
    try:
        record = read_record(_path(), SelfTest)
    except StoreError:
        return None
    return {
        "passed": record.passed,
        "checks": len(record.checks),
        "failed": sum(not check.passed for check in record.checks),
        "harness": record.harness,
        "commit": record.commit,
        "finished_at": record.finished_at,
    }


def _path() -> Path:
    return cache_dir() / "selftest" / f"{bench.__version__}-{hardware_fingerprint()[:16]}.json"
