"""Texts a second of training: those really processed over the seconds that the steps took."""

from __future__ import annotations

import pytest

from bench.types import FitRecord
from reports.columns.costs import training_rate


def record(**fit: object) -> FitRecord:
    return FitRecord(**{"fit_s": 4.0, "evaluate_s": 3.0, "tokenise_s": 2.0, "steps": 30, "chosen_step": 5, **fit})


def test_all_epochs_count_and_neither_evaluation_nor_the_chosen_step_does() -> None:
    assert training_rate(record(examples=100, epochs=3.0)) == 75.0
    assert training_rate(record(examples=100, epochs=0.5)) == 12.5
    assert training_rate(record(examples=100, epochs=3.0, evaluate_s=100.0)) == 75.0


@pytest.mark.parametrize("missing", [{"steps": 0}, {"examples": 0}, {"epochs": 0.0}, {"fit_s": 0.0}, {"steps": None}])
def test_what_was_not_trained_in_steps_has_none(missing: dict[str, object]) -> None:
    assert training_rate(record(**{"examples": 100, "epochs": 3.0, **missing})) is None


def test_a_classifier_of_another_s_making_has_none() -> None:
    assert training_rate(None) is None
