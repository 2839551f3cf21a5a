"""What made each regressed row worse: as a table, as markdown and as JSON-able data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from bench.attribution_record import Attribution, Swap
from bench.results import Interval
from reports import figures
from reports.figures import MISSING
from reports.markdown import clean
from reports.tables import Column, Row, Table, numbers, to_markdown, to_rich

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

    @property
    def markdown(self) -> str:
        """GitHub-flavoured markdown that ends in a newline."""
        return "\n\n".join(map(to_markdown, self._tables())) + "\n"

    def print(self, console: Console) -> None:
        """Print on a console, as wide as it is."""
        for table in self._tables():
            for renderable in to_rich(table, console.width):
                console.print(renderable)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"rows": [{"culprits": list(row.culprits), **row.model_dump(mode="json")} for row in self.rows]}

    def _tables(self) -> list[Table]:
        return [_table(row) for row in self.rows] or [Table("No row lost accuracy", (Column("row"),), ())]


def _table(row: Attribution) -> Table:
    culprits = " or ".join(row.culprits)
    title = f"{row.cell.task} {row.name}: {culprits or 'no single part'} did it"
    changed = [f"{name} {base or 'none'} -> {head or 'none'}" for name, base, head in row.versions]
    notes = (
        "accuracy: new minus the baseline's; a part did it when the row is no longer REGRESSED with the base's",
        f"versions that differ: {', '.join(changed) or 'none'}",
    )
    head = ("nothing", str(row.head.verdict), *_figures(row.head.difference), "the head as it is")
    return Table(clean(title), _COLUMNS, (head, *map(_swap_row, row.swaps)), tuple(map(clean, notes)))


def _swap_row(swap: Swap) -> Row:
    if swap.judgement is None:
        return (swap.part, MISSING, MISSING, MISSING, clean(swap.note or ""))
    verdict = str(swap.judgement.verdict)
    return (swap.part, verdict, *_figures(swap.judgement.difference), "did it" if swap.repairs else MISSING)


def _figures(difference: Interval) -> tuple[str, str]:
    low, high = figures.points(difference.low), figures.points(difference.high)
    return figures.points(difference.value), f"{low} to {high}"
