"""Defines errors written for the person who reads them, each with the exit code of its class."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """What was wrong, where, and what to do, in one line."""

    exit_code = 1


class UsageError(BenchError):
    """A wrong argument: an unknown name, an impossible combination."""

    exit_code = 2


class DataError(BenchError):
    """Data that cannot be used: missing, empty, malformed, inconsistent."""

    exit_code = 3


class AssetError(BenchError):
    """A model or an archive that cannot be had, or is not what it should be."""

    exit_code = 4


class CellsFailed(BenchError):
    """The run is complete, but some of its cells failed; their results say why."""

    exit_code = 5


class StoreError(BenchError):
    """A run folder that cannot be read or written."""

    exit_code = 6


class NotAvailable(BenchError):
    """Something that cannot run here, for a reason the result then shows."""

    exit_code = 7


class EndpointFailed(BenchError):
    """An endpoint that is down, slow or wrong; its result is INVALID with this reason."""

    exit_code = 7


class OtherSchema(StoreError):
    """A stored record that another version of the harness wrote in another form."""


class NotComparable(BenchError):
    """Two results that must not be compared: other data, other labels, another schema."""

    exit_code = 8


class SelfTestFailed(BenchError):
    """A planted fault that the harness did not find, or an honest engine that it called faulty."""

    exit_code = 11


def unknown_name(what: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist, with the nearest ones that do."""
    choices = sorted(known)
    near = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(choices)}"
    return UsageError(f"unknown {what} '{name}'; {hint}")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a library ran out of memory, on a device or not: most have no exception of their own for it."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text
