"""Shows the rows of somebody's pytest-benchmark file as a table of rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from bench.results.pytest_benchmark import ImportedBenchmark
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.markdown import clean
from reports.render.table import Column, Table, numbers, to_rich

_COLUMNS = (
    Column("benchmark"),
    Column("group", from_width=100),
    numbers("rounds"),
    numbers("rate", "1/s"),
    numbers("p50", "ms"),
    numbers("p90", "ms"),
    numbers("p99", "ms"),
)
_NOTE = "percentiles only where enough rounds were kept: pytest --benchmark-save-data"


@dataclass(frozen=True)
class BenchmarkPage:
    """The file's name and its rows."""

    title: str
    rows: Sequence[ImportedBenchmark]

    def print(self, console: Console) -> None:
        """Print on a console, as wide as it is."""
        for renderable in to_rich(self._table(), console.width):
            console.print(renderable)

    def _table(self) -> Table:
        return Table(clean(self.title), _COLUMNS, tuple(map(_row, self.rows)), (_NOTE,))


def _row(benchmark: ImportedBenchmark) -> tuple[str, ...]:
    return (
        clean(benchmark.name),
        clean(benchmark.group) if benchmark.group else MISSING,
        figures.count(benchmark.rounds),
        *map(figures.number, (benchmark.rate_rps, benchmark.p50_ms, benchmark.p90_ms, benchmark.p99_ms)),
    )
