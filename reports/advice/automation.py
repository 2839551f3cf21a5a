"""Says what the advice has on automation: how many texts the result answers alone, the rest to a person."""

from __future__ import annotations

from collections.abc import Iterator

from reports.advice.candidates import Candidate
from reports.render import figures
from reports.render.words import message


def automation_lines(chosen: Candidate) -> Iterator[str]:
    """How much is automated, from which confidence on, and by which texts that was chosen."""
    found = chosen.automation
    if found is None or found.accuracy is None or found.threshold is None:
        return
    chosen_by = (
        message("{n:,} validation texts", n=found.chosen_on)
        if found.on_validation
        else message("one half of the test texts, {n:,}", n=found.chosen_on)
    )
    yield message(
        "Automates {coverage} of the texts (confidence >= {threshold}; {right} of them right), the rest to a person; "
        "threshold chosen on {chosen_by}, measured on {n:,} test texts",
        coverage=figures.percent_plus_minus(found.coverage),
        threshold=figures.threshold(found.threshold),
        right=figures.percent_plus_minus(found.accuracy),
        chosen_by=chosen_by,
        n=found.n,
    )
