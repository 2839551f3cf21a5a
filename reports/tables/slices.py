"""Tables the slices: accuracy by length and by class, the weakest slice beside the mean."""

from __future__ import annotations

import numpy as np

from bench.quality.slices import QUARTERS, Slice, length_quarters, slices_of, weakest
from bench.quality.stats import wilson
from bench.results.records import Answers, Result
from reports.content.automation import shown_results
from reports.content.results import Group, TaskResults
from reports.content.standing import Standing
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.markdown import shorten
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import joined, message

LONGEST_NAME = 40
_NOTES = (
    message(
        "share of texts answered right; quarters by the tokens that the first result's classifier reads of each text; "
        "slices of fewer than 20 texts are left out"
    ),
    message(
        "weakest: the least of all quarters and classes, which some slice is by chance too; p: Fisher's exact test "
        "against all other texts, by Holm over the classifier's slices"
    ),
)


def slice_tables(task: TaskResults, standing: Standing) -> list[Table]:
    """One row a classifier; nothing where the texts are too few for a slice."""
    results = shown_results(task, standing)
    if not results:
        return []
    measure = task.answers[results[0][1].cell.id]
    columns = (
        Column("classifier"),
        numbers("accuracy"),
        *(numbers(name, from_width=100) for name in QUARTERS),
        Column("weakest slice"),
        numbers("texts"),
        numbers("right"),
        numbers("p"),
    )
    body = tuple(cells for group, result in results if (cells := _row(task, group, result, measure)))
    return [Table("Slices of the test texts", columns, body, _NOTES)] if body else []


def _row(task: TaskResults, group: Group, result: Result, measure: Answers) -> Row | None:
    """The slices of the texts that the measuring classifier read too; None where no slice has texts enough."""
    answers = task.answers[result.cell.id]
    _, own, others = np.intersect1d(answers.ids, measure.ids, assume_unique=True, return_indices=True)
    if not len(own):
        return None
    right, labels = (answers.prediction.labels == answers.labels)[own], answers.labels[own]
    quarters = length_quarters(measure.prediction.token_counts[others])
    names = {_class_slice(task, at): labels == at for at in range(len(task.data.class_names))}
    found = slices_of(right, {**quarters, **names})
    worst = weakest(found)
    if worst is None:
        return None
    by_name = {each.name: each for each in found}
    return (
        group.name,
        figures.percent_plus_minus(wilson(int(right.sum()), len(right))),
        *(_right(by_name.get(name)) for name in QUARTERS),
        message(worst.name) if worst.name in QUARTERS else worst.name,
        figures.count(worst.n),
        _right(worst),
        figures.p_value(worst.p),
    )


def _class_slice(task: TaskResults, at: int) -> str:
    name = shorten(task.data.class_names[at], LONGEST_NAME) or "(empty)"
    return joined(" ", (message("class"), name))


def _right(found: Slice | None) -> str:
    return figures.percent_plus_minus(found.accuracy) if found else MISSING
