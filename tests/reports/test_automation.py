"""What may be automated, as tables, curves and JSON; validation answers through a stored and a merged run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import synthetic_runs as synthetic
from stored_runs import store
from synthetic_automation import TEST, VALIDATION, automation_run

from bench.quality.selective import TARGETS, automation
from bench.results.merging import merge_runs
from bench.results.store import open_run
from reports.content.automation import coverage_cell, coverage_charts
from reports.content.results import tasks_of
from reports.content.standing import standing_of
from reports.leaderboard import render_leaderboard
from reports.tables.automation import automation_tables

RUN = automation_run()


def test_the_tables_say_what_the_stored_answers_say() -> None:
    [task] = tasks_of(RUN)
    coverage, scaling, classes = automation_tables(task, standing_of(task))
    cells = {row[0]: row for row in coverage.rows}
    cell_id = "agnews.full-finetune.s0.eager"
    for at, target in enumerate(TARGETS):
        found = automation(RUN.validation[cell_id], RUN.answers[cell_id], target)
        assert cells["full-finetune"][3 + 2 * at].startswith(f"{found.coverage.value:.1%}"[:-1])
    assert cells["zero-shot"][1] == "half of test"
    assert {row[0] for row in scaling.rows} == {"tfidf", "full-finetune"}
    assert "full-finetune" in classes.title


def test_json_holds_thresholds_areas_and_temperatures() -> None:
    rows = {row["cell"]["id"]: row for row in render_leaderboard(RUN).to_dict()["tasks"][0]["rows"]}
    tfidf, zero_shot = rows["agnews.tfidf.s0.sklearn"], rows["agnews.zero-shot.s0.eager"]
    assert set(tfidf["automation"]) == {"0.95", "0.98", "0.99"}
    assert tfidf["automation"]["0.99"]["chosen_on"] == VALIDATION
    assert tfidf["automation"]["0.99"]["n"] == TEST
    assert not zero_shot["automation"]["0.99"]["on_validation"]
    assert zero_shot["automation"]["0.99"]["n"] == TEST // 2
    assert zero_shot["temperature_scaling"] is None
    assert tfidf["temperature_scaling"]["temperature"] > 1
    assert 0 < tfidf["area_under_risk_coverage"]["value"] < zero_shot["area_under_risk_coverage"]["value"]


def test_a_target_that_so_few_texts_cannot_show_is_not_known() -> None:
    run = automation_run(test=400, validation=98)
    rows = {row["cell"]["id"]: row for row in render_leaderboard(run).to_dict()["tasks"][0]["rows"]}
    assert rows["agnews.tfidf.s0.sklearn"]["automation"]["0.99"] is None
    assert rows["agnews.tfidf.s0.sklearn"]["automation"]["0.95"] is not None
    assert "too few texts to choose by; 99% takes 99" in render_leaderboard(run).markdown


def test_a_missed_target_stands_beside_its_coverage() -> None:
    task = next(iter(tasks_of(RUN)))
    validation = task.validation["agnews.tfidf.s0.sklearn"]
    test = task.answers["agnews.tfidf.s0.sklearn"]
    missed = automation(validation, replace(test, labels=(test.labels + 1) % 4), 0.95)
    assert missed.fate == "missed"
    assert "right" in coverage_cell(missed)


def test_the_page_draws_a_curve_a_classifier() -> None:
    [task] = tasks_of(RUN)
    [chart] = coverage_charts(task, standing_of(task))
    assert [line.name for line in chart.lines] == ["full-finetune", "tfidf", "zero-shot"]
    assert [point.at for point in chart.lines[0].points][-1] == "100"
    assert all(point.low is not None for line in chart.lines for point in line.points)


def test_validation_answers_survive_the_folder_and_a_merge(tmp_path: Path) -> None:
    first = store(RUN, tmp_path / "a")
    assert render_leaderboard(open_run(first)).markdown == render_leaderboard(RUN).markdown
    second = store(RUN, tmp_path / "b", hardware_sha256="0badcafe" * 8)
    merge_runs([first, second], tmp_path / "c")
    merged = open_run(tmp_path / "c")
    assert len(merged.validation) == 2 * len(RUN.validation)
    assert len(list((tmp_path / "c" / "validation").iterdir())) == 4


def test_a_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    folder = store(RUN, tmp_path / "run")
    file = next((folder / "validation").iterdir())
    file.rename(tmp_path / "elsewhere.parquet")
    file.symlink_to(tmp_path / "elsewhere.parquet")
    with pytest.raises(Exception, match="leads out of the run folder"):
        open_run(folder)


def test_runs_of_before_have_no_validation_answers() -> None:
    assert "half of test" in render_leaderboard(synthetic.full_run()).markdown
