"""Shows the checks of `bench selftest` as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from bench.results.selftest import SelfTest
from reports.render.table import Column, Table, say_table, to_markdown, to_rich
from reports.render.words import ENGLISH, message

_COLUMNS = (Column("planted"), Column("must be"), Column("was"), Column("check"))
_NOTES = (
    message("engines: a TextCNN trained on the built-in sample, served by faulty engines in a run like any other"),
    message(
        "slowdowns: measured here by turns; the trials draw those turns anew. Accuracy losses: seeded trials of 7,600 "
        "answers with 2 % discordance"
    ),
)


@dataclass(frozen=True)
class SelfTestPage:
    """A self-test as its readers want it."""

    record: SelfTest
    language: str = ENGLISH

    @property
    def markdown(self) -> str:
        """GitHub-flavoured markdown that ends in a newline."""
        return to_markdown(say_table(self._table(), self.language), level=2) + "\n"

    def print(self, console: Console) -> None:
        """Print on a console, as wide as it is."""
        for renderable in to_rich(say_table(self._table(), self.language), console.width, self.language):
            console.print(renderable)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"passed": self.record.passed, **self.record.model_dump(mode="json")}

    def _table(self) -> Table:
        rows = tuple(
            (check.name, check.expected, check.found, message("ok") if check.passed else message("FAILED"))
            for check in self.record.checks
        )
        verdict = message("passed") if self.record.passed else message("FAILED")
        title = message("Self-test: {verdict} in {seconds:.0f} s", verdict=verdict, seconds=self.record.wall_s)
        return Table(title, _COLUMNS, rows, _NOTES)
