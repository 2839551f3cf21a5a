"""Shows the parity certificates: whether another engine gives the same answers as the reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench.results.certificates import Parity
from reports.columns.column import told_of
from reports.columns.leaderboard import result_table
from reports.columns.quality import unsure
from reports.content.results import TaskResults, is_reference
from reports.render import figures
from reports.render.table import Table
from reports.render.words import joined, message


def parity_tables(task: TaskResults) -> list[Table]:
    """One row an engine that is not the reference itself."""
    told = [each for each in told_of(task) if each.result.parity is not None and not is_reference(each.result)]
    certificates = [each.result.parity for each in told if each.result.parity]
    references = joined(" or ", dict.fromkeys(parity.reference for parity in certificates))
    notes = (
        message(
            "against the reference engine ({references}), same classifier, same texts; p: exact McNemar test of the "
            "flips",
            references=references,
        ),
        message("largest dp: largest difference of a probability"),
        message("changed at most: what so many texts leave possible (95 %, exact binomial bound)"),
        *_unjudged(certificates),
    )
    return [result_table("Same classifier, other engine: same answers?", "parity", told, notes)] if told else []


def _unjudged(certificates: Iterable[Parity]) -> Iterator[str]:
    """How many texts it takes to judge each bar that these could not."""
    unjudged = {each.required: each.items_to_judge for each in certificates if unsure(each)}
    for required, items in sorted(unjudged.items()):
        yield message(
            "passed?: no more changes than allowed were seen, but too few texts to be sure of {required}: it takes "
            "{items} texts without a change",
            required=figures.floor_percent(required),
            items=figures.count(items),
        )
