"""`bench trend`: what slides and what does not, as a table, JSON and a page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import synthetic_runs as synthetic
from command_line import assert_one_line_error, bench
from stored_runs import store
from synthetic_load import load_summary

from bench.results.records import StoredRun
from reports.content.trends import history_of
from reports.pages.trend import TrendPage, trend_table

RATES = (100.0, 99.0, 97.0, 96.0, 94.0, 93.0, 92.0)


def run_of(number: int, rate: float, **environment: object) -> StoredRun:
    """The sliding rate is full-finetune's on eager, one request at a time; the rest stays as it is."""
    run = synthetic.full_run()
    results = []
    for result in run.results:
        finished = result.model_copy(update={"finished_at": f"2026-01-{number + 1:02}T00:00:00+00:00"})
        if result.cell.id == "agnews.full-finetune.s0.eager":
            load = {**result.load, "single": load_summary("single", (rate,))}
            finished = finished.model_copy(update={"load": load})
        results.append(finished)
    folder = Path(f"runs/day{number}")
    return replace(run, folder=folder, results=tuple(results), environment={**run.environment, **environment})


RUNS = [run_of(number, rate) for number, rate in enumerate(RATES)]


def test_a_slow_slide_is_seen_and_nothing_else() -> None:
    history = history_of(RUNS[::-1])
    assert history.names == tuple(f"day{number}" for number in range(len(RATES)))
    [slide] = [each for each in history.series if each.judgement == "worse"]
    assert (slide.row.startswith("full-finetune"), str(slide.metric)) == (True, "single")
    assert [point.value for point in slide.points] == list(RATES)
    assert {each.judgement for each in history.series if each is not slide} == {"steady"}


def test_rates_of_another_machine_are_another_series() -> None:
    moved = [run_of(number, 50.0, hardware_sha256="0badcafe" * 8) for number in (7, 8)]
    rates = [each for each in history_of([*RUNS, *moved]).series if each.row.endswith("s0/eager")]
    singles = [each for each in rates if str(each.metric) == "single" and each.row.startswith("full-finetune")]
    assert sorted(len(each.points) for each in singles) == [2, 7]
    [quality] = [each for each in rates if str(each.metric) == "accuracy" and each.row.startswith("full-finetune")]
    assert len(quality.points) == 9


def test_too_few_runs_are_shown_and_not_judged() -> None:
    history = history_of(RUNS[:4])
    assert {each.judgement for each in history.series} == {"too few runs"}
    assert "-" in trend_table(history).rows[0]


def test_the_page_escapes_what_is_not_ours() -> None:
    runs = [replace(run, folder=Path(f"runs/<b>{at}$x$")) for at, run in enumerate(RUNS)]
    page = TrendPage(history_of(runs)).page()
    assert "<b>" not in page
    assert page.count("<svg") >= 3
    assert "<script" not in page
    assert TrendPage(history_of(RUNS), "zh").page().startswith('<!DOCTYPE html>\n<html lang="zh">')


def test_on_the_command_line(tmp_path: Path) -> None:
    folders = [store(run, tmp_path / f"day{number}") for number, run in enumerate(RUNS)]
    done = bench("trend", *map(str, folders), "--json", "--html", str(tmp_path / "trend.html"))
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    assert [run["name"] for run in content["runs"]] == [folder.name for folder in folders]
    assert sum(each["judgement"] == "worse" for each in content["series"]) == 1
    assert (tmp_path / "trend.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("count", [1, 2])
def test_the_same_folder_is_no_history(tmp_path: Path, count: int) -> None:
    folder = store(RUNS[0], tmp_path / "run")
    assert_one_line_error(bench("trend", *[str(folder)] * count), 2, "two or more different run folders")
