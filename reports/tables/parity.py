"""The parity certificates: whether another engine gives the same answers as the reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bench.results.records import Parity, Result
from reports.content.rows import Group, TaskRows, is_reference
from reports.content.speed import precision_of
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import joined, message

_COLUMNS = (
    Column("classifier"),
    Column("engine"),
    Column("prec."),
    numbers("texts"),
    Column("tokens"),
    numbers("equal labels"),
    numbers("required"),
    numbers("changed", "at most"),
    numbers("largest dp"),
    numbers("p", from_width=90),
    Column("verdict"),
)


def parity_tables(task: TaskRows) -> list[Table]:
    """One row an engine that is not the reference itself."""
    certified = [
        (group, row, row.parity) for group, row in task.cells() if row.parity is not None and not is_reference(row)
    ]
    rows = tuple(_row(group, row, parity) for group, row, parity in certified)
    references = joined(" or ", dict.fromkeys(parity.reference for _, _, parity in certified))
    notes = (
        message(
            "against the reference engine ({references}), same classifier, same texts; p: exact McNemar test of the "
            "flips",
            references=references,
        ),
        message("largest dp: largest difference of a probability"),
        message("changed at most: what so many texts leave possible (95 %, exact binomial bound)"),
        *_unjudged(parity for _, _, parity in certified),
    )
    return [Table("Same classifier, other engine: same answers?", _COLUMNS, rows, notes)] if rows else []


def _unjudged(certificates: Iterable[Parity]) -> Iterator[str]:
    """How many texts it takes to judge each bar that these could not."""
    unjudged = {each.required: each.items_to_judge for each in certificates if _unsure(each)}
    for required, items in sorted(unjudged.items()):
        yield message(
            "passed?: no more changes than allowed were seen, but too few texts to be sure of {required}: it takes "
            "{items} texts without a change",
            required=figures.floor_percent(required),
            items=figures.count(items),
        )


def _verdict(parity: Parity) -> str:
    if not parity.passed:
        return message("changes answers")
    return message("passed?") if _unsure(parity) else message("passed")


def _unsure(parity: Parity) -> bool:
    """Whether it passed on too few texts; certificates of before the bound was stored do not say."""
    return parity.passed and parity.changed_at_most is not None and not parity.judged


def _row(group: Group, row: Result, parity: Parity) -> Row:
    tokens = {True: message("same"), False: message("DIFFER"), None: MISSING}[parity.same_tokens]
    return (
        group.name,
        row.cell.engine or MISSING,
        precision_of(row),
        figures.count(parity.items),
        tokens,
        figures.floor_percent(parity.equal_labels),
        figures.floor_percent(parity.required),
        figures.ceil_percent(parity.changed_at_most),
        figures.number(parity.largest_probability_difference),
        figures.p_value(parity.mcnemar_p),
        _verdict(parity),
    )
