"""Shows the paired tests behind the ranks."""

from __future__ import annotations

from bench.quality.ranking import Comparison
from bench.results.records import Interval
from reports.content.results import TaskResults
from reports.content.standing import Standing
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

_COLUMNS = (
    Column("better"),
    Column("behind"),
    numbers("texts"),
    numbers("F1 points"),
    numbers("95 %", from_width=100),
    numbers("p"),
    numbers("p adjusted"),
    Column("told apart"),
    numbers("p of accuracy", from_width=110),
)
MOST_PAIRS = 45

_NOTES = (
    message(
        "pairs of classifiers, on the texts both answered; an engine that keeps its classifier's answers is no "
        "classifier of its own"
    ),
    message(
        "F1 points: difference of macro F1; p: paired randomisation test of macro F1; adjusted: Holm, over all pairs; "
        "p of accuracy: exact McNemar test, not adjusted"
    ),
)
_SHORTENED = message(
    "each classifier against the first and against the one before it; `bench report --json` has all pairs"
)


def comparison_tables(task: TaskResults, standing: Standing) -> list[Table]:
    """One row a pair of classifiers; a single one has none."""
    names = {result.cell.id: f"{group.name} {result.cell.engine or MISSING}" for group, result in task.cells()}
    shown = standing.comparisons
    if len(shown) > MOST_PAIRS:
        shown = tuple(each for each in shown if _near(each, standing))
    notes = _NOTES if len(shown) == len(standing.comparisons) else (*_NOTES, _SHORTENED)
    rows = tuple(_row(names, comparison) for comparison in shown)
    return [Table("Paired tests behind the ranks", _COLUMNS, rows, notes)] if rows else []


def _near(comparison: Comparison, standing: Standing) -> bool:
    """Whether one of the two is the first classifier, or the two follow one another."""
    speakers = list(dict.fromkeys(standing.speakers.values()))
    low, high = sorted((speakers.index(comparison.ahead), speakers.index(comparison.behind)))
    return low == 0 or high == low + 1


def _row(names: dict[str, str], comparison: Comparison) -> Row:
    difference = comparison.difference
    return (
        names[comparison.ahead],
        names[comparison.behind],
        figures.count(comparison.n),
        figures.points(difference.value),
        _bounds(difference),
        figures.p_value(comparison.p),
        figures.p_value(comparison.p_adjusted),
        message("yes") if comparison.apart else message("no"),
        figures.p_value(comparison.accuracy_p),
    )


def _bounds(difference: Interval) -> str:
    """Both ends, in points; where there is no interval, how many texts it takes."""
    if difference.items_needed is not None:
        return figures.bounds(difference)
    return f"{figures.points(difference.low)} to {figures.points(difference.high)}"
