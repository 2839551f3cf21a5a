"""Cascades in the tables, on the page and in the advice, which offers one only where it beats every single row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stored_runs import store
from synthetic_automation import automation_run

from bench.results.demands import Demands
from bench.results.evidence import evidence_of
from bench.results.store import open_run, write_latencies
from reports.advice.advice import advise
from reports.advice.page import AdvicePage
from reports.content.cascades import best_cascade, cascades_of, latencies_of
from reports.content.results import tasks_of
from reports.leaderboard import render_leaderboard

RUN = automation_run(test=7600, validation=2000)


def test_every_pair_with_validation_answers_in_its_fastest_rows() -> None:
    [task] = tasks_of(RUN)
    [found] = cascades_of(task)  # the language model has no validation answers
    assert found.name == "tfidf/sklearn > full-finetune/onnx"
    assert found.rate_rps == pytest.approx(1 / (1 / 15600 + found.share / 712.5))
    assert found.macro_f1.value > 0.9
    assert f"| {found.first.name}" in render_leaderboard(RUN).markdown


def test_the_choice_is_made_on_validation_alone() -> None:
    [task], [other] = tasks_of(RUN), tasks_of(replace(RUN, answers=_shuffled()))
    first, second = best_cascade(task), best_cascade(other)
    assert first is not None
    assert second is not None
    assert first.handover == second.handover


def _shuffled() -> dict:
    return {name: replace(answers, labels=(answers.labels + answers.ids) % 4) for name, answers in RUN.answers.items()}


def test_one_that_beats_every_single_row_is_offered() -> None:
    [given] = advise(RUN, Demands())
    assert given.offer is not None
    assert "tfidf/sklearn" in given.offer.better
    assert set(given.offer.better) | set(given.offer.faster) == {row.name for row in given.candidates}
    page = AdvicePage((given,))
    assert "A cascade beats every single result" in page.markdown
    assert page.to_dict()["tasks"][0]["cascade"]["share"] == given.offer.cascade.share


def test_none_is_offered_where_the_first_row_alone_is_as_good() -> None:
    answers = dict.fromkeys(RUN.answers, RUN.answers["agnews.full-finetune.s0.onnx"])
    validation = dict.fromkeys(RUN.validation, RUN.validation["agnews.full-finetune.s0.onnx"])
    [given] = advise(replace(RUN, answers=answers, validation=validation), Demands())
    assert given.offer is None


def test_none_is_offered_for_demands_that_only_a_served_row_can_meet() -> None:
    for demands in (Demands(rps=1), Demands(p99_ms=100), Demands(accuracy=0.95), Demands(min_f1=0.99)):
        [given] = advise(RUN, demands)
        assert given.offer is None


def test_latencies_come_from_the_raw_ones(tmp_path: Path) -> None:
    results = []
    for result in RUN.results:
        run = result.load["single"].runs[0].model_copy(update={"latencies_file": f"latencies/{result.cell.id}.parquet"})
        single = result.load["single"].model_copy(update={"runs": (run,)})
        results.append(result.model_copy(update={"load": {**result.load, "single": single}}))
    folder = store(replace(RUN, results=tuple(results)), tmp_path / "run")
    [found] = cascades_of(tasks_of(open_run(folder))[0])
    read = evidence_of(folder).latencies_ns
    assert latencies_of(found, read) is None
    for member, milliseconds in ((found.first, 1), (found.second, 10)):
        write_latencies(
            folder / "latencies" / f"{member.result.cell.id}.parquet", np.full(700, milliseconds * 1_000_000)
        )
    mean_ms, p99_ms = latencies_of(found, read) or (0.0, None)
    assert mean_ms == pytest.approx(1 + 10 * found.share)
    assert p99_ms == pytest.approx(11)
