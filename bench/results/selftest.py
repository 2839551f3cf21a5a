"""Records what `bench selftest` finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bench
from bench.errors import StoreError
from bench.files.cache import cache_dir
from bench.machine.environment import hardware_fingerprint
from bench.messages import Said
from bench.results.store import read_record, write_record
from bench.types import SCHEMA_VERSION, Record


class SelfCheck(Record):
    """One planted fault: what the harness must say of it, and what it said."""

    name: Said
    expected: Said
    found: Said
    passed: bool


class SelfTest(Record):
    """All checks, when and where."""

    schema_version: int = SCHEMA_VERSION
    harness: str
    commit: str | None
    hardware_sha256: str
    finished_at: str
    wall_s: float
    checks: tuple[SelfCheck, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


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
