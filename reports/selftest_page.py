"""The checks of `bench selftest` as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from bench.selftest_record import SelfTest
from reports.markdown import clean
from reports.tables import Column, Table, to_markdown, to_rich

_COLUMNS = (Column("planted"), Column("must be"), Column("was"), Column("check"))
_NOTES = (
    "engines: a TextCNN trained on the built-in sample, served by faulty engines in a run like any other",
    "slowdowns: measured here by turns; the trials draw those turns anew. Accuracy losses: seeded trials of 7,600 "
    "answers with 2 % discordance",
)


@dataclass(frozen=True)
class SelfTestPage:
    """A self-test as its readers want it."""

    record: SelfTest

    @property
    def markdown(self) -> str:
        """GitHub-flavoured markdown that ends in a newline."""
        return to_markdown(self._table(), level=2) + "\n"

    def print(self, console: Console) -> None:
        """Print on a console, as wide as it is."""
        for renderable in to_rich(self._table(), console.width):
            console.print(renderable)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"passed": self.record.passed, **self.record.model_dump(mode="json")}

    def _table(self) -> Table:
        rows = tuple(
            (clean(check.name), clean(check.expected), clean(check.found), "ok" if check.passed else "FAILED")
            for check in self.record.checks
        )
        verdict = "passed" if self.record.passed else "FAILED"
        return Table(f"Self-test: {verdict} in {self.record.wall_s:.0f} s", _COLUMNS, rows, _NOTES)
