"""Ranks without the test texts whose labels are doubtful, and shows the differences that hang on them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bench.quality.ranking import Ranking, rank
from bench.quality.scores import macro_scores
from bench.results.records import Answers
from bench.types import Prediction
from reports.content.results import Group, TaskResults
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

_COLUMNS = (
    numbers("rank"),
    Column("classifier"),
    numbers("macro F1"),
    numbers("rank without"),
    numbers("F1 without"),
    numbers("behind the first", "points"),
    numbers("on doubtful labels", "points"),
    Column("difference", from_width=100),
)


def doubtful_tables(task: TaskResults) -> list[Table]:
    """One row a classifier, best first; none where no test label is doubtful or one classifier answered."""
    check = task.data.check
    shown = {
        group.shown.cell.id: group
        for group in task.groups
        if group.shown is not None and group.shown.cell.id in task.answers
    }
    if check is None or not check.doubtful_test or len(shown) < 2:
        return []
    classes = len(task.data.class_names)
    doubtful = np.array(check.doubtful_test)
    everything = {cell: task.answers[cell] for cell in shown}
    sound = {cell: _without(answers, doubtful) for cell, answers in everything.items()}
    if any(len(answers.ids) == 0 for answers in sound.values()):
        return []
    before, after = rank(everything, classes), rank(sound, classes)
    rows = tuple(_row(cell, shown, everything, sound, (before, after), doubtful, classes) for cell in before.rows)
    return [Table("Without the doubtful test texts", _COLUMNS, rows, _notes(task, len(doubtful)))]


def _notes(task: TaskResults, doubtful: int) -> tuple[str, ...]:
    return (
        message(
            "{doubtful:,} of {all:,} test labels are doubtful: TF-IDF that has not seen the text holds another class "
            "for likelier (confident learning); some are merely hard",
            doubtful=doubtful,
            all=task.data.sizes.test,
        ),
        message(
            "on doubtful labels: texts with a doubtful label that only one of the two has right; a smaller difference "
            "can be label noise alone"
        ),
    )


def _without(answers: Answers, doubtful: np.ndarray) -> Answers:
    kept = ~np.isin(answers.ids, doubtful)
    given = answers.prediction
    prediction = Prediction(
        given.probabilities[kept], given.labels[kept], given.token_counts[kept], given.truncated[kept]
    )
    return Answers(answers.ids[kept], answers.labels[kept], prediction)


def _row(
    cell: str,
    shown: Mapping[str, Group],
    everything: Mapping[str, Answers],
    sound: Mapping[str, Answers],
    rankings: tuple[Ranking, Ranking],
    doubtful: np.ndarray,
    classes: int,
) -> Row:
    before, after = rankings
    first = before.rows[0]
    score, best = _macro_f1(everything[cell], classes), _macro_f1(everything[first], classes)
    hanging = _hanging(everything[first], everything[cell], doubtful)
    verdict = message("can be label noise") if best - score < hanging else message("larger than label noise")
    return (
        figures.count(before.ranks[cell]),
        shown[cell].name,
        figures.score(score),
        figures.count(after.ranks[cell]),
        figures.score(_macro_f1(sound[cell], classes)),
        *((MISSING,) * 3 if cell == first else (figures.points(best - score), figures.points(hanging), verdict)),
    )


def _macro_f1(answers: Answers, classes: int) -> float:
    return macro_scores(answers.labels, answers.prediction.labels, classes).f1


def _hanging(first: Answers, second: Answers, doubtful: np.ndarray) -> float:
    """Share of the common texts that have a doubtful label and are right in one of the two rows only."""
    ids, one, two = np.intersect1d(first.ids, second.ids, return_indices=True)
    if not len(ids):
        return 0.0
    right = (first.prediction.labels == first.labels)[one] != (second.prediction.labels == second.labels)[two]
    return float((right & np.isin(ids, doubtful)).mean())
