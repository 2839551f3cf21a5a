"""Shows what made each regressed result worse: as a table, as markdown and as JSON-able data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from bench.results.verdicts import Attribution, Judgement, Metric, Swap
from reports.pages.verdict_words import explain_untried, name_part
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers, say_table, to_markdown, to_rich
from reports.render.words import ENGLISH, joined, message

_NOT_AGAIN = message(
    "asked again, the head is not regressed: this is not the code, the libraries or the machine of its run; run "
    "bench attribute where it was made"
)
_COLUMNS = (
    Column("put back to the base's"),
    Column("then"),
    numbers("accuracy", "points"),
    numbers("accuracy 95 %", from_width=90),
    numbers("F1", "points"),
    numbers("F1 95 %", from_width=100),
    Column("what to know"),
)


@dataclass(frozen=True)
class AttributionPage:
    """All regressed results; none is a page too."""

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
        return {
            "rows": [
                {"culprits": list(attribution.culprits), **attribution.model_dump(mode="json")}
                for attribution in self.rows
            ]
        }

    def _tables(self) -> list[Table]:
        tables = [_table(attribution) for attribution in self.rows] or [
            Table("No result became worse", (Column("result"),), ())
        ]
        return [say_table(table, self.language) for table in tables]


def _table(attribution: Attribution) -> Table:
    who = f"{attribution.cell.task} {attribution.name}"
    if attribution.culprits:
        title = message("{row}: {parts} did it", row=who, parts=joined(" or ", map(name_part, attribution.culprits)))
    elif attribution.again.judgement is None:
        title = message("{row}: it does not run here", row=who)
    elif attribution.again.repairs:
        title = message("{row}: not regressed when asked again here", row=who)
    else:
        title = message("{row}: no single part did it", row=who)
    changed = [f"{name} {base or MISSING} -> {head or MISSING}" for name, base, head in attribution.versions]
    notes = (
        message(
            "accuracy, F1: new minus the baseline's; a part did it when the result is no longer REGRESSED with "
            "the base's"
        ),
        message("versions that differ: {versions}", versions=", ".join(changed) or message("none")),
        *([_NOT_AGAIN] if attribution.again.repairs else []),
    )
    verdict = message(str(attribution.head.verdict))
    head = (message("nothing"), verdict, *_figures(attribution.head), message("the head as it is"))
    return Table(title, _COLUMNS, (head, *map(_swap_row, (attribution.again, *attribution.swaps))), notes)


def _swap_row(swap: Swap) -> Row:
    part = name_part(swap.part)
    if swap.judgement is None:
        return (part, *[MISSING] * 5, explain_untried(swap))
    told = message("repairs it") if swap.repairs else MISSING
    return (part, message(str(swap.judgement.verdict)), *_figures(swap.judgement), told)


def _figures(judgement: Judgement) -> Iterator[str]:
    for metric in Metric:
        difference = judgement.of(metric).difference
        low, high = figures.points(difference.low), figures.points(difference.high)
        yield figures.points(difference.value)
        yield message("{low} to {high}", low=low, high=high)
