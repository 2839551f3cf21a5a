"""A run of several suites ranks its methods over all of them, on the texts that all answered, in every form."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from synthetic_runs import EAGER, ONNX, SKLEARN, Method, data_card, stored_run, task_results

from bench.quality.across import Across
from bench.quality.scores import macro_scores
from bench.results.records import Evidence, StoredRun
from reports.content.across import across_suites
from reports.content.results import tasks_of
from reports.leaderboard import render_leaderboard

METHODS = (
    Method("tfidf", None, 0.80, 5200, 1.4, (SKLEARN,)),
    Method("full-finetune", "base", 0.95, 60, 90, (EAGER, ONNX)),
    Method("zero-shot", "base", 0.60, 6, 0, (EAGER,), items=40),
)


def run_of(suites: int, methods: tuple[Method, ...] = METHODS, seeds: int = 1) -> StoredRun:
    results, answers = [], {}
    for number in range(suites):
        card = data_card(f"suite{number}", test=200 + number, title=f"Suite {number}", fingerprint=f"f{number}")
        more, given = task_results(card, methods, seeds)
        results += more
        answers |= given
    return stored_run(results, answers, tasks=tuple(f"suite{number}" for number in range(suites)))


def across_of(run: StoredRun) -> Across:
    found = across_suites(tasks_of(run))
    assert found is not None
    return found[0]


def test_every_method_is_scored_on_the_texts_that_all_of_them_answered() -> None:
    run = run_of(3)
    across = across_of(run)
    given = run.answers["suite1.tfidf.s0.sklearn"]
    expected = macro_scores(given.labels[:40], given.prediction.labels[:40], 4).f1
    scores = {row.name: row.scores for row in across.rows}
    assert scores["tfidf"][1] == pytest.approx(expected)
    assert [row.name for row in across.rows] == ["full-finetune", "tfidf", "zero-shot"]


def test_seeds_are_averaged() -> None:
    run = run_of(2, METHODS[:2], seeds=3)
    seeds = [run.answers[f"suite0.tfidf.s{seed}.sklearn"] for seed in range(3)]
    scores = {row.name: row.scores[0] for row in across_of(run).rows}
    each = [macro_scores(seed.labels, seed.prediction.labels, 4).f1 for seed in seeds]
    assert scores["tfidf"] == pytest.approx(np.mean(each))


def test_a_method_that_a_suite_lacks_is_left_out_by_name() -> None:
    one, other = run_of(2), run_of(2, METHODS[:2])
    lacking = [row for row in one.results if not (row.cell.task == "suite1" and row.cell.recipe == "zero-shot")]
    run = stored_run(lacking, dict(one.answers), tasks=("suite0", "suite1"))
    found = across_suites(tasks_of(run))
    assert found is not None
    assert found[1] == ("zero-shot",)
    assert found[0] == across_of(other)
    assert "left out: zero-shot" in render_leaderboard(run).markdown


@pytest.mark.parametrize("run", [run_of(1), run_of(3, METHODS[:1])], ids=["one suite", "one method"])
def test_nothing_is_said_where_there_is_nothing_to_compare(run: StoredRun) -> None:
    board = render_leaderboard(run)
    assert across_suites(tasks_of(run)) is None
    assert "Methods across suites" not in board.markdown
    assert "plots/across.ranks.svg" not in board.plots()
    assert "across" not in board.to_dict()


@pytest.mark.parametrize(("suites", "said"), [(3, "3 suites tell no two methods apart"), (6, "Nemenyi's test at 5 %")])
def test_the_table_says_what_so_many_suites_can_tell(suites: int, said: str) -> None:
    board = render_leaderboard(run_of(suites))
    table = board.markdown[board.markdown.index("## Methods across suites") :]
    assert said in table
    assert re.search(r"\| full-finetune +\| +1\.00 \|", table)
    assert board.to_dict()["across"]["rows"][0]["name"] == "full-finetune"
    assert "![dot: mean rank" in table


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_picture_is_the_same_every_time(language: str) -> None:
    run = run_of(6)
    path = "plots/across.ranks.svg" if language == "en" else "plots/across.ranks.zh.svg"
    first, second = (render_leaderboard(run, language).plots()[path] for _ in range(2))
    assert first == second
    text = " ".join(ElementTree.fromstring(first).itertext())  # noqa: S314 - our own bytes
    assert "full-finetune" in text
    assert ("mean rank" if language == "en" else "平均名次") in text


def test_the_page_holds_what_its_script_draws(tmp_path: Path) -> None:
    evidence = Evidence(lambda _: {}, lambda _: np.empty(0))
    page = render_leaderboard(run_of(6)).page(evidence)
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found is not None
    across = json.loads(found[1])["across"]
    assert [method["name"] for method in across["methods"]] == ["full-finetune", "tfidf", "zero-shot"]
    assert across["difference"] == pytest.approx(1.353, abs=0.001)
