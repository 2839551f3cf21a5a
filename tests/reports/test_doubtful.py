"""The ranking without doubtful test texts: recounted by hand, and shown only where there are some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import synthetic_runs as synthetic
from answers import answers_of

from bench.quality.ranking import rank
from bench.types import DataCheck
from reports.content.results import TaskResults, tasks_of
from reports.tables.doubtful import doubtful_tables

N = 200
DOUBTFUL = tuple(range(10))


def task_with(doubtful: tuple[int, ...]) -> TaskResults:
    """Two classifiers: the first is right on every doubtful label and wrong on three others, the second the reverse."""
    task = next(task for task in tasks_of(synthetic.full_run()) if len(task.data.class_names) == 4)
    labels = np.arange(N) % 4
    wrong = (labels + 1) % 4
    first, second = labels.copy(), labels.copy()
    first[100:103] = wrong[100:103]
    second[list(DOUBTFUL)] = wrong[list(DOUBTFUL)]
    groups = [group for group in task.groups if group.shown][:2]
    answers = {
        group.shown.cell.id: answers_of(labels, predicted, 4)
        for group, predicted in zip(groups, (first, second), strict=True)
        if group.shown
    }
    check = DataCheck(
        texts=N, duplicates=0, near=0, leaked=0, conflicting=0, doubtful=len(doubtful), doubtful_test=doubtful
    )
    data = task.data.model_copy(update={"check": check})
    return replace(task, data=data, groups=tuple(groups), answers=answers)


def test_without_doubtful_texts_the_second_is_ahead() -> None:
    task = task_with(DOUBTFUL)
    [table] = doubtful_tables(task)
    first, second = table.rows
    assert first[0] == "1"
    # without the ten doubtful texts the second has none wrong, the first three of 190
    assert second[4] == "1.000"
    assert first[4] < second[4]
    # ten of 200 texts have a doubtful label that only one has right
    assert second[6] == "5.00"
    assert second[7] == "can be label noise"


def test_ranks_are_those_of_the_ranking_of_the_kept_texts() -> None:
    task = task_with(DOUBTFUL)
    kept = {
        cell: answers_of(each.labels[10:], each.prediction.labels[10:], 4, each.ids[10:])
        for cell, each in task.answers.items()
    }
    expected = rank(kept, 4).ranks
    shown = {group.name: expected[group.shown.cell.id] for group in task.groups if group.shown}
    [table] = doubtful_tables(task)
    assert {row[1]: row[3] for row in table.rows} == {name: str(number) for name, number in shown.items()}


def test_no_table_where_nothing_is_doubtful_or_nothing_was_looked_at() -> None:
    assert doubtful_tables(task_with(())) == []
    assert doubtful_tables(next(iter(tasks_of(synthetic.full_run())))) == []
