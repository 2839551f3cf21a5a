"""Tells which vector instructions this CPU has, or a smaller one that is played: BENCH_MAX_CPU_ISA=AVX2.

What each library's own switch does, and which library has none, is in docs/cpus.md.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.errors import UsageError

PLAYED = "BENCH_MAX_CPU_ISA"


@dataclass(frozen=True)
class SmallerCpu:
    """The features it does not have, by how their names begin, and what makes the libraries take it for such a one."""

    lacks: tuple[str, ...]
    switches: Mapping[str, str]


SMALLER_CPUS = {
    "AVX2": SmallerCpu(
        ("avx512", "avx10", "avx_", "amx"),
        {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "CT2_FORCE_CPU_ISA": "AVX2"},
    ),
    "AVX512_CORE": SmallerCpu(
        ("avx512_", "avx512vbmi", "avx10", "avx_", "amx"),
        {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "CT2_FORCE_CPU_ISA": "AVX512"},
    ),
}


def play_smaller_cpu() -> None:
    """Set the libraries' switches for the CPU that BENCH_MAX_CPU_ISA names, before any of them is loaded.

    Raises UsageError for a name that is not in SMALLER_CPUS. Processes started afterwards inherit the switches.
    """
    smaller = _played()
    if smaller is not None:
        os.environ.update(smaller.switches)


def cpu_features() -> frozenset[str]:
    """The features of this CPU as Linux names them, less those that a played smaller CPU lacks.

    Empty where the operating system does not list them.
    """
    smaller = _played()
    own = _own_features()
    return own if smaller is None else frozenset(name for name in own if not name.startswith(smaller.lacks))


def cpu_field(name: str) -> str | None:
    """A field of the first processor in /proc/cpuinfo; None where there is no such file or field."""
    return _first_processor().get(name)


def _played() -> SmallerCpu | None:
    name = os.environ.get(PLAYED)
    if not name:
        return None
    if name not in SMALLER_CPUS:
        raise UsageError(f"{PLAYED}={name}: no CPU of that name can be played; choose {' or '.join(SMALLER_CPUS)}")
    return SMALLER_CPUS[name]


@cache
def _own_features() -> frozenset[str]:
    first = _first_processor()
    return frozenset((first.get("flags") or first.get("Features") or "").split())  # x86, ARM


@cache
def _first_processor() -> Mapping[str, str]:
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def is_arm() -> bool:
    """Whether this is a 64-bit ARM CPU."""
    return platform.machine().lower() in ("aarch64", "arm64")
