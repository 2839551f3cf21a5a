"""A row says when guessing would have been better: labels in another order give .000, not a bad model."""

from __future__ import annotations

import numpy as np
import pytest
import synthetic_runs as synthetic
from answers import answers_of, noisy_answers

from bench.quality.chance import below_chance, quality_warnings, right_in_other_order
from bench.quality.scores import measure_quality
from reports.content.results import tasks_of
from reports.content.standing import standing_of
from reports.tables.quality import quality_tables

NAMES = ("a", "b", "c")


def test_swapped_labels_are_warned_of() -> None:
    labels = np.arange(60) % 2
    quality = measure_quality(answers_of(labels, 1 - labels, 2), ("neg", "pos"))
    assert right_in_other_order(quality) == 1.0
    [warning] = quality_warnings(quality)
    assert warning.startswith("right in 0.0% of 60 texts, significantly less than guessing among 2 classes (p = 9e-19)")


@pytest.mark.parametrize("seed", range(20))
def test_guessing_and_a_few_texts_are_not(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(90) % 3
    assert below_chance(measure_quality(noisy_answers(rng, labels, 3, 0.1), NAMES)) is None
    few = labels[:6]
    assert below_chance(measure_quality(answers_of(few, (few + 1) % 3, 3), NAMES)) is None


def test_two_classes_of_four_that_are_swapped_are_warned_of_though_above_chance() -> None:
    """A ready-made model whose order was assumed: .50, well above guessing."""
    labels = np.arange(80) % 4
    swapped = np.array([0, 1, 3, 2])[labels]
    quality = measure_quality(answers_of(labels, swapped, 4), ("a", "b", "c", "d"))
    assert right_in_other_order(quality) == 1.0
    assert quality_warnings(quality) == (
        "right in 50.0% of 80 texts, but in 100.0% if its classes were in another order: are the labels in another "
        "order?",
    )


@pytest.mark.parametrize("seed", range(5))
def test_bad_answers_are_no_other_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, 60)
    for share in (0.0, 0.3, 0.6, 1.0):
        assert right_in_other_order(measure_quality(noisy_answers(rng, labels, 4, share), ("a", "b", "c", "d"))) is None
    few = np.arange(4)
    assert right_in_other_order(measure_quality(answers_of(few, few[::-1], 4), ("a", "b", "c", "d"))) is None


def test_the_quality_table_marks_the_row() -> None:
    results, answers = synthetic.task_results(synthetic.data_card(), synthetic.METHODS[:2])
    names = results[0].data.class_names
    worst = answers[results[0].cell.id]
    wrong = measure_quality(answers_of(worst.labels, (worst.labels + 1) % len(names), len(names)), names)
    run = synthetic.stored_run([results[0].model_copy(update={"quality": wrong}), *results[1:]], answers)
    [task] = tasks_of(run)
    [table] = quality_tables(task, standing_of(task))
    statuses = [row[-1] for row in table.rows]
    assert [status for status in statuses if "below chance" in status] == [statuses[-1]]
    assert any("right in 0.0% of" in note and "labels in another order" in note for note in table.notes)


def test_rows_without_answers_say_nothing() -> None:
    assert quality_warnings(None) == ()
