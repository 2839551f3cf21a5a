"""What made each regressed row worse: as a table, as markdown and as JSON-able data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from bench.results.records import Interval
from bench.results.verdicts import Attribution, Swap
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers, spoken, to_markdown, to_rich
from reports.render.words import ENGLISH, joined, message

_NOT_AGAIN = message(
    "asked again, the head is not regressed: this is not the code, the libraries or the machine of its run; run "
    "bench attribute where it was made"
)
_COLUMNS = (
    Column("put back to the base's"),
    Column("then"),
    numbers("accuracy", "points"),
    numbers("95 %", from_width=90),
    Column("what to know"),
)


@dataclass(frozen=True)
class AttributionPage:
    """All regressed rows; none is a page too."""

    rows: Sequence[Attribution]
    language: str = ENGLISH

    @property
    def markdown(self) -> str:
        """GitHub-flavoured markdown that ends in a newline."""
        return "\n\n".join(map(to_markdown, self._tables())) + "\n"

    def print(self, console: Console) -> None:
        """Print on a console, as wide as it is."""
        for table in self._tables():
            for renderable in to_rich(table, console.width, self.language):
                console.print(renderable)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"rows": [{"culprits": list(row.culprits), **row.model_dump(mode="json")} for row in self.rows]}

    def _tables(self) -> list[Table]:
        tables = [_table(row) for row in self.rows] or [Table("No row lost accuracy", (Column("row"),), ())]
        return [spoken(table, self.language) for table in tables]


def _table(row: Attribution) -> Table:
    who = f"{row.cell.task} {row.name}"
    if row.culprits:
        title = message("{row}: {parts} did it", row=who, parts=joined(" or ", row.culprits))
    elif row.again.judgement is None:
        title = message("{row}: it does not run here", row=who)
    elif row.again.repairs:
        title = message("{row}: not regressed when asked again here", row=who)
    else:
        title = message("{row}: no single part did it", row=who)
    changed = [f"{name} {base or MISSING} -> {head or MISSING}" for name, base, head in row.versions]
    notes = (
        message(
            "accuracy: new minus the baseline's; a part did it when the row is no longer REGRESSED with the base's"
        ),
        message("versions that differ: {versions}", versions=", ".join(changed) or message("none")),
        *([_NOT_AGAIN] if row.again.repairs else []),
    )
    verdict = message(str(row.head.verdict))
    head = (message("nothing"), verdict, *_figures(row.head.difference), message("the head as it is"))
    return Table(title, _COLUMNS, (head, *map(_swap_row, (row.again, *row.swaps))), notes)


def _swap_row(swap: Swap) -> Row:
    if swap.judgement is None:
        return (swap.part, MISSING, MISSING, MISSING, swap.note or "")
    verdict = message(str(swap.judgement.verdict))
    return (
        swap.part,
        verdict,
        *_figures(swap.judgement.difference),
        message("repairs it") if swap.repairs else MISSING,
    )


def _figures(difference: Interval) -> tuple[str, str]:
    low, high = figures.points(difference.low), figures.points(difference.high)
    return figures.points(difference.value), message("{low} to {high}", low=low, high=high)
