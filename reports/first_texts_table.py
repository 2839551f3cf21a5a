"""Accuracy on the first 16 ... 512 test texts, as the write-up of the instructed models (row D2) prints it."""

from __future__ import annotations

import numpy as np

from bench.results import Answers, Interval
from bench.stats import wilson
from reports import figures
from reports.figures import MISSING
from reports.published import Published
from reports.rows import TaskRows
from reports.tables import Column, Row, Table, numbers
from reports.words import message

SIZES = (16, 64, 256, 512)
_ROW = "D2"
_NOTE = message("the same classifier on more and more texts: at 16 texts the interval is wider than any difference")


def first_texts_tables(task: TaskRows) -> list[Table]:
    """One row an instructed model, and one for its published accuracy."""
    published = Published(task)
    rows: list[Row] = []
    shown = []
    for group in task.groups:
        if group.row != _ROW or group.shown is None or group.shown.cell.id not in task.answers:
            continue
        answers = task.answers[group.shown.cell.id]
        rows.append((group.name, group.short_base or MISSING, *(_accuracy(answers, size) for size in SIZES)))
        found = [published.find(group, ("accuracy",), setting=str(size)) for size in SIZES]
        if first := next((figure for figure in found if figure), None):
            name = message("published: {system}", system=first.system)
            rows.append((group.name, name, *(figure.text if figure else MISSING for figure in found)))
            shown += found
    columns = (Column("classifier"), Column("base model"), *(numbers(message("first {n}", n=size)) for size in SIZES))
    notes = (_NOTE, *published.notes(shown))
    return [Table("Accuracy on the first test texts", columns, tuple(rows), notes)] if rows else []


def _accuracy(answers: Answers, size: int) -> str:
    """With its Wilson interval; nothing where fewer texts were answered."""
    if len(answers.ids) < size:
        return MISSING
    first = np.argsort(answers.ids, kind="stable")[:size]
    right = answers.prediction.labels[first] == answers.labels[first]
    interval: Interval = wilson(int(right.sum()), size)
    return figures.plus_minus(interval)
