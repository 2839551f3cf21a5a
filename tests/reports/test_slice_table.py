"""The table of slices: the weakest one stands beside the mean."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from synthetic_automation import automation_run

from reports.content.results import tasks_of
from reports.content.standing import standing_of
from reports.tables.slices import slice_tables

RUN = automation_run()


def test_a_weak_slice_of_long_texts_is_named() -> None:
    answers = {}
    for name, each in RUN.answers.items():
        lengths = np.arange(len(each.ids), dtype=np.int32)
        long = lengths >= 0.8 * len(lengths)
        given = np.where(long & (lengths % 2 == 0), (each.labels + 1) % 4, each.prediction.labels)
        answers[name] = replace(each, prediction=replace(each.prediction, labels=given, token_counts=lengths))
    [task] = tasks_of(replace(RUN, answers=answers))
    [table] = slice_tables(task, standing_of(task))
    first = table.rows[0]
    assert first[6] == "longest quarter"
    assert first[7] == "1,000"
    assert first[9] == "<0.001"


def test_classes_are_slices_too() -> None:
    [task] = tasks_of(RUN)
    [table] = slice_tables(task, standing_of(task))
    assert len(table.rows) == 3
    assert table.rows[0][6].startswith("class ")
    assert table.rows[0][3] == "-"  # all texts are of one length: no quarter but the first, which is all of them
