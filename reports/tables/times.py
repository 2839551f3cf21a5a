"""Shows what training took, part by part, and answering the test split."""

from __future__ import annotations

from bench.results.records import Result
from reports.columns.column import Told
from reports.columns.leaderboard import result_table
from reports.content.published import Published, published_cell, published_column
from reports.content.results import Group, TaskResults
from reports.render.table import Table, with_column
from reports.render.words import message

_PUBLISHED = {
    "epochs": "published epochs",
    "training_time": "published training",
    "inference_time_test_split": "published inference",
    "total_time": "published total",
}
_NOTE = message("inference: the test texts answered once; total: all four parts, without downloads")


def time_tables(task: TaskResults) -> list[Table]:
    """One row a trained classifier."""
    groups = [group for group in task.groups if group.fit]
    published = Published(task)
    found = [[published.find(group, (metric,)) for metric in _PUBLISHED] for group in groups]
    shown = [figure for figures_of in found for figure in figures_of if figure]
    told = [Told(task, group, _timed(group) or group.results[0]) for group in groups]
    table = result_table("Time", "times", told, (_NOTE, *published.notes(shown)))
    if shown:
        for at, title in enumerate(_PUBLISHED.values()):
            table = with_column(
                table, published_column(title), (published_cell(figures_of[at]) for figures_of in found)
            )
    return [table] if told else []


def _timed(group: Group) -> Result | None:
    """The row whose inference is shown: the reference engine's, else the first that was timed."""
    timed = [result for result in group.results if result.predict_s is not None]
    return group.reference if group.reference in timed else next(iter(timed), None)
