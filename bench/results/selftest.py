"""What `bench selftest` finds."""

from __future__ import annotations

from bench.messages import Said
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
