"""Ensembles in the tables: computed from stored answers, chosen on validation, marked as computed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_automation import METHODS, automation_run

from bench.quality.ensembles import average
from reports.content.ensembles import ensembles_of
from reports.content.results import tasks_of
from reports.leaderboard import render_leaderboard

RUN = automation_run(test=2000, validation=800)


def test_a_pair_is_the_mean_of_the_stored_answers_at_the_cost_of_both() -> None:
    [task] = tasks_of(RUN)
    [found] = ensembles_of(task)  # the language model has no validation answers
    assert found.name == "full-finetune/onnx + tfidf/sklearn"
    cells = [member.result.cell.id for member in found.members]
    together = average([RUN.answers[cell] for cell in cells])
    assert found.accuracy.value == pytest.approx((together.prediction.labels == together.labels).mean())
    assert found.rate_rps == pytest.approx(1 / sum(1 / member.load.rate_rps for member in found.members))
    assert found.gain.low <= found.gain.value <= found.gain.high
    markdown = render_leaderboard(RUN).markdown
    assert "### Ensembles" in markdown
    assert "computed, not measured: means of the stored probabilities" in markdown


def test_test_labels_have_no_part_in_the_choice() -> None:
    shuffled = {name: replace(each, labels=(each.labels + each.ids) % 4) for name, each in RUN.answers.items()}
    [task], [other] = tasks_of(RUN), tasks_of(replace(RUN, answers=shuffled))
    assert [each.name for each in ensembles_of(task)] == [each.name for each in ensembles_of(other)]


def test_all_seeds_of_a_recipe_are_one_ensemble() -> None:
    base = automation_run(methods=METHODS[:1], test=2000, validation=800)
    [result] = base.results
    results, answers, validation = list(base.results), dict(base.answers), dict(base.validation)
    for seed in (1, 2):
        cell = result.cell.model_copy(update={"id": f"{result.cell.id}.{seed}", "seed": seed})
        results.append(result.model_copy(update={"cell": cell}))
        answers[cell.id] = answers[result.cell.id]
        validation[cell.id] = validation[result.cell.id]
    run = replace(base, results=tuple(results), answers=answers, validation=validation)
    [task] = tasks_of(run)
    names = [each.name for each in ensembles_of(task)]
    assert "tfidf s0/sklearn + tfidf s1/sklearn + tfidf s2/sklearn" in names
    assert len(names) == len(set(names)) == 4
    assert all(np.isclose(each.gain.value, 0) for each in ensembles_of(task)), "the same answers gain nothing"
