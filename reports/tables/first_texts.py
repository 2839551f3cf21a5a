"""Shows accuracy on the first 16 ... 512 test texts, as the write-up of the instructed models (system D2) prints it."""

from __future__ import annotations

from bench.results.published import PublishedFigure
from bench.results.records import Interval
from reports.content.published import Published
from reports.content.results import Group, TaskResults
from reports.content.series import SIZES, first_accuracy, instructed, published_instructed
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

_NOTE = message("the same classifier on more and more texts: at 16 texts the interval is wider than any difference")


def first_texts_tables(task: TaskResults) -> list[Table]:
    """One row an instructed model, then one a published system; nothing where this run has no instructed model."""
    groups = instructed(task)
    if not groups:
        return []
    ours: list[Row] = [
        (group.name, group.short_base or MISSING, *(_shown(first_accuracy(task, group, size)) for size in SIZES))
        for group in groups
    ]
    published = published_instructed(task)
    theirs = [_published_row(system, found, groups) for system, found in published.items()]
    columns = (Column("classifier"), Column("base model"), *(numbers(message("first {n}", n=size)) for size in SIZES))
    notes = (_NOTE, *Published(task).notes(figure for found in published.values() for figure in found))
    return [Table("Accuracy on the first test texts", columns, (*ours, *theirs), notes)]


def _published_row(system: str, found: list[PublishedFigure], groups: list[Group]) -> Row:
    """Beside the classifiers of the same recipe, if any was run."""
    same = ", ".join(group.name for group in groups if group.recipe == found[0].recipe)
    by_size = {figure.setting: figure.text for figure in found}
    name = message("published: {system}", system=system)
    return (same or message("not in this run"), name, *(by_size.get(str(size), MISSING) for size in SIZES))


def _shown(accuracy: Interval | None) -> str:
    return figures.plus_minus(accuracy) if accuracy else MISSING
