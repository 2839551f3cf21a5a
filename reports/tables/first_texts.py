"""Accuracy on the first 16 ... 512 test texts, as the write-up of the instructed models (row D2) prints it."""

from __future__ import annotations

import numpy as np

from bench.quality.stats import wilson
from bench.results.published import PublishedFigure
from bench.results.records import Interval
from reports.content.published import Published
from reports.content.rows import Group, TaskRows
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

SIZES = (16, 64, 256, 512)
_ROW = "D2"
_NOTE = message("the same classifier on more and more texts: at 16 texts the interval is wider than any difference")


def first_texts_tables(task: TaskRows) -> list[Table]:
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


def instructed(task: TaskRows) -> list[Group]:
    """The classifiers of row D2 whose answers are there."""
    return [each for each in task.groups if each.row == _ROW and each.shown and each.shown.cell.id in task.answers]


def published_instructed(task: TaskRows) -> dict[str, list[PublishedFigure]]:
    """The published accuracies of row D2, all systems, whichever of them were run here."""
    found: dict[str, list[PublishedFigure]] = {}
    for figure in Published(task).figures:
        if figure.row == _ROW and figure.metric == "accuracy":
            found.setdefault(figure.system, []).append(figure)
    return found


def first_accuracy(task: TaskRows, group: Group, size: int) -> Interval | None:
    """Accuracy on the first `size` test texts with its Wilson interval; None where fewer were answered."""
    answers = task.answers[group.shown.cell.id] if group.shown else None
    if answers is None or len(answers.ids) < size:
        return None
    first = np.argsort(answers.ids, kind="stable")[:size]
    return wilson(int((answers.prediction.labels[first] == answers.labels[first]).sum()), size)


def _published_row(system: str, found: list[PublishedFigure], groups: list[Group]) -> Row:
    """Beside the classifiers of the same recipe, if any was run."""
    same = ", ".join(group.name for group in groups if group.recipe == found[0].recipe)
    by_size = {figure.setting: figure.text for figure in found}
    name = message("published: {system}", system=system)
    return (same or message("not in this run"), name, *(by_size.get(str(size), MISSING) for size in SIZES))


def _shown(accuracy: Interval | None) -> str:
    return figures.plus_minus(accuracy) if accuracy else MISSING
