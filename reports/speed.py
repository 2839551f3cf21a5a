"""Which speed figures may be printed, and what they are compared with."""

from __future__ import annotations

from bench.results import LoadRun, LoadSummary, Result, Status
from bench.types import Scenario
from reports.figures import MISSING
from reports.rows import Group


def verdict(row: Result, scenario: Scenario) -> str:
    """LoadGen's verdict, or UNSTABLE where the row's runs differ too much to name one rate."""
    summary = row.load.get(scenario)
    if summary is None:
        return MISSING
    if not summary.valid:
        return "INVALID"
    return "UNSTABLE" if row.status is Status.UNSTABLE else "VALID"


def usable(row: Result, scenario: Scenario) -> LoadSummary | None:
    """The figures of a scenario; None where there are none that can be believed."""
    return row.load[scenario] if verdict(row, scenario) == "VALID" else None


def median_run(summary: LoadSummary) -> LoadRun | None:
    """The run whose rate is the summary's, or nearest to it."""
    return min(summary.runs, key=lambda run: abs(run.rate_rps - summary.rate_rps), default=None)


def against_reference(group: Group, row: Result, scenario: Scenario) -> float | None:
    """The row's rate over that of the reference engine with the same classifier."""
    own = usable(row, scenario)
    reference = usable(group.reference, scenario) if group.reference else None
    return own.rate_rps / reference.rate_rps if own and reference and reference.rate_rps > 0 else None


def answers_mark(row: Result) -> str:
    """What the parity certificate says: whether this engine gives the classifier's own answers.

    "own" stands for a classifier that exists behind its endpoint alone.
    """
    if row.parity is None:
        return "own" if row.without_reference else MISSING
    return "same" if row.parity.passed else "CHANGED"
