"""The paired tests behind the ranks."""

from __future__ import annotations

from bench.quality.ranking import Comparison
from reports.content.rows import TaskRows
from reports.content.standing import Standing
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

_COLUMNS = (
    Column("row"),
    Column("behind"),
    numbers("texts"),
    numbers("F1 points"),
    numbers("95 %", from_width=100),
    numbers("p"),
    numbers("p adjusted"),
)

_NOTES = (
    message("each row against the first row of the rank above or around it, on the texts both answered"),
    message(
        "F1 points: difference of macro F1 (95 %: paired bootstrap); p: exact McNemar test; adjusted: Holm, over all "
        "pairs"
    ),
)


def comparison_tables(task: TaskRows, standing: Standing) -> list[Table]:
    """One row a comparison; a single row has none."""
    names = {row.cell.id: f"{group.name} {row.cell.engine or MISSING}" for group, row in task.cells()}
    rows = tuple(_row(names, comparison) for comparison in standing.comparisons)
    return [Table("Paired tests behind the ranks", _COLUMNS, rows, _NOTES)] if rows else []


def _row(names: dict[str, str], comparison: Comparison) -> Row:
    difference = comparison.difference
    return (
        names[comparison.behind],
        names[comparison.ahead],
        figures.count(comparison.n),
        figures.points(-difference.value),
        f"{figures.points(-difference.high)} to {figures.points(-difference.low)}",
        figures.p_value(comparison.p),
        figures.p_value(comparison.p_adjusted),
    )
