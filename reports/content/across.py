"""Gathers the methods that every suite of a run has a score of, on the texts that all of them answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from bench.quality.across import Across, compare_across
from bench.quality.scores import macro_scores
from bench.results.records import Answers
from reports.content.results import TaskResults


def across_suites(tasks: Sequence[TaskResults]) -> tuple[Across, tuple[str, ...]] | None:
    """The comparison and the methods left out of it; None where fewer than two suites share two methods."""
    answered = [_answers_of(task) for task in tasks]
    everywhere = [name for name in (answered[0] if answered else ()) if all(name in each for each in answered)]
    if len(tasks) < 2 or len(everywhere) < 2:
        return None
    columns = [
        _scores({name: each[name] for name in everywhere}, len(task.data.class_names))
        for task, each in zip(tasks, answered, strict=True)
    ]
    if any(column is None for column in columns):
        return None
    scores = {name: [column[name] for column in columns if column] for name in everywhere}
    left_out = tuple(dict.fromkeys(name for each in answered for name in each if name not in everywhere))
    return compare_across([task.data.title for task in tasks], scores), left_out


def _answers_of(task: TaskResults) -> dict[str, list[Answers]]:
    """Every method's answers, a file a seed, by the result that speaks for its classifier."""
    found: dict[str, list[Answers]] = {}
    for group in task.groups:
        if group.shown and group.shown.cell.id in task.answers:
            found.setdefault(group.method_name, []).append(task.answers[group.shown.cell.id])
    return found


def _scores(answers: Mapping[str, Sequence[Answers]], class_count: int) -> dict[str, float] | None:
    """Macro F1 a method, averaged over its seeds, on the items all of them answered; None without such an item."""
    common = reduce(np.intersect1d, [each.ids for seeds in answers.values() for each in seeds])
    if not len(common):
        return None
    return {
        name: float(np.mean([_macro_f1(each, common, class_count) for each in seeds]))
        for name, seeds in answers.items()
    }


def _macro_f1(answers: Answers, ids: np.ndarray, class_count: int) -> float:
    kept = np.isin(answers.ids, ids)
    return macro_scores(answers.labels[kept], answers.prediction.labels[kept], class_count).f1
