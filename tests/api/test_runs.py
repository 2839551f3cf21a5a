"""Runs, their results and leaderboards, checks and predictions, from Python."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from inspect import signature
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from gate_runs import losing, stored, with_answers
from nbclient import NotebookClient
from pydantic import ValidationError
from synthetic_runs import full_run
from tiny_classifiers import sequence_bert, tiny_texts

import bench
from bench.cli.results import csv_text
from bench.errors import NotAvailable, NotComparable, StoreError, UsageError
from bench.execution.predict import Predictor
from bench.gates.baseline import make_baseline, write_baseline
from bench.plan.keywords import SPREAD, make_request
from bench.plan.request import RunRequest
from bench.results.records import Status
from bench.results.verdicts import Verdict
from reports.export.flat_rows import flat_rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(full_run(), tmp_path_factory.mktemp("api") / "run")


def test_results_are_the_records_and_a_data_frame_of_the_csv(folder: Path) -> None:
    results = bench.open_run(folder).results()
    assert [result.cell.id for result in results] == [result.cell.id for result in full_run().results]
    frame = results.to_pandas()
    rows = flat_rows(bench.open_run(folder).stored)
    assert list(frame["id"]) == [row["id"] for row in rows]
    assert list(frame.columns) == next(csv.reader(io.StringIO(csv_text(rows))))
    assert np.isnan(frame.loc[frame["status"] == "SKIPPED", "macro_f1"]).all()


def test_without_pandas_the_sentence_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(NotAvailable, match="pip install pandas"):
        bench.open_run(folder).results().to_pandas()


def test_a_wrong_folder_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"run\.json"):
        bench.open_run(tmp_path)


def test_a_notebook_shows_a_table_a_task_and_no_markup_of_the_texts(folder: Path) -> None:
    leaderboard = bench.open_run(folder).leaderboard()
    shown = leaderboard._repr_html_()
    tasks = {result.cell.task for result in full_run().results}
    assert shown.count("<table>") == len(tasks) == leaderboard._repr_markdown_().count("\n## ") + 1
    assert "<script" not in shown
    assert "![" not in leaderboard._repr_markdown_()
    assert "排名" in bench.open_run(folder).leaderboard("zh")._repr_html_()


def test_markup_in_a_name_is_shown_as_text(tmp_path: Path) -> None:
    run = full_run()
    first = run.results[0]
    hostile = first.model_copy(
        update={"data": first.data.model_copy(update={"title": "<script>alert(1)</script> [a](b)"})}
    )
    shown = (
        bench.open_run(
            stored(
                type(run)(tmp_path, run.settings, run.environment, (hostile, *run.results[1:]), run.answers), tmp_path
            )
        )
        .leaderboard()
        ._repr_html_()
    )
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; [a](b)" in shown


def test_check_takes_runs_folders_and_baseline_files(folder: Path, tmp_path: Path) -> None:
    run = full_run()
    cell_id = next(result.cell.id for result in run.results if result.cell.id in run.answers)
    k = run.answers[cell_id].prediction.probabilities.shape[1]
    worse = stored(with_answers(run, cell_id, losing(run.answers[cell_id], 200, k)), tmp_path / "worse")
    baseline = tmp_path / "baseline.json"
    write_baseline(baseline, make_baseline(bench.open_run(folder).stored))
    for base in (bench.open_run(folder), folder, str(baseline)):
        checked = bench.check(worse, base)
        assert not checked.passed
        assert checked.verdict is Verdict.REGRESSED
        assert [row.verdict for row in checked.rows if row.cell.id == cell_id] == [Verdict.REGRESSED]
        assert "REGRESSED" in checked.markdown()
    assert bench.check(bench.open_run(folder), folder).passed


def test_other_data_are_refused(folder: Path, tmp_path: Path) -> None:
    run = full_run()
    changed = tuple(
        result.model_copy(update={"data": result.data.model_copy(update={"fingerprint": "0" * 64})})
        for result in run.results
    )
    other = stored(type(run)(tmp_path, run.settings, run.environment, changed, run.answers), tmp_path / "other")
    with pytest.raises(NotComparable, match="other data"):
        bench.check(other, folder)


def test_a_loaded_classifier_answers_as_bench_predict_does(tmp_path: Path) -> None:
    classifier, texts = sequence_bert(tmp_path / "tiny"), tiny_texts(5)
    with Predictor([classifier.path], None, "cpu", 1) as predictor:
        expected = [row["models"][0] for row in predictor.rows(texts)]
    with bench.load(classifier.path, engine="eager", device="cpu", threads=1) as model:
        answers = model.predict(texts)
        assert model.predict([]) == []
        with pytest.raises(UsageError, match="list of texts"):
            model.predict(texts[0])
    assert [answer.label for answer in answers] == [answer["label"] for answer in expected]
    assert [answer.truncated for answer in answers] == [answer["truncated"] for answer in expected]
    for answer, row in zip(answers, expected, strict=True):
        assert answer.probabilities == pytest.approx(row["probabilities"], abs=1e-5)
    with pytest.raises(UsageError, match="unknown engine 'eagre'; did you mean eager"):
        bench.load(classifier.path, engine="eagre")


SCRIPT = """
import os, sys
import bench
print("once")
before = dict(os.environ)
options = dict(data=sys.argv[1], methods="tfidf", backends=["sklearn"], settings={"max_features": 500}, out=sys.argv[2])
run = bench.run(**options, progress=False)
again = bench.run(**options, progress=False)
assert dict(os.environ) == before
[result] = run.results()
assert result.finished_at == again.results()[0].finished_at
print(result.status, result.cell.recipe, *run.classifiers())
with bench.load(*run.classifiers().values()) as model:
    print(model.predict(["the good number 3"])[0].label)
"""


@pytest.mark.slow
def test_a_script_without_a_main_guard_runs_once(tmp_path: Path) -> None:
    lines = "".join(f"the {w} number {n} is {w},{w}\n" for n in range(60) for w in ("good", "bad"))
    (tmp_path / "own.csv").write_text("text,label\n" + lines)
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py", tmp_path / "own.csv", tmp_path / "run"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    once, row, label = done.stdout.splitlines()
    assert once == "once"
    assert row == f"{Status.OK} tfidf@max_features=500 own.tfidf@max_features=500.s0"
    assert label == "good"
    assert (tmp_path / "run" / "leaderboard.html").is_file()


@pytest.mark.slow
def test_a_notebook_shows_progress_and_the_leaderboard(tmp_path: Path) -> None:
    lines = "".join(f"the {w} number {n} is {w},{w}\n" for n in range(60) for w in ("good", "bad"))
    (tmp_path / "own.csv").write_text("text,label\n" + lines)
    cells = [
        "import bench\nrun = bench.run(data='own.csv', methods=['tfidf'], backends=['sklearn'], out='run')",
        "run.leaderboard()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs: list[list[dict[str, Any]]] = [cell["outputs"] for cell in notebook["cells"]]
    progress = [output.get("data", {}) for output in outputs[0]]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in progress), progress
    assert "<table>" in outputs[1][0]["data"]["text/html"]
    assert "### Leaderboard" in outputs[1][0]["data"]["text/markdown"]


def test_every_keyword_of_run_reaches_the_request() -> None:
    keywords = {name: parameter.default for name, parameter in signature(bench.run).parameters.items()}
    for name in ("progress", *SPREAD):  # how it is carried out, not what is asked for
        del keywords[name]
    assert make_request(keywords) == RunRequest()
    given = make_request(
        keywords
        | {"suites": "agnews, weibo", "data": "texts.csv", "label_map": {"1": "good"}, "settings": {"mean": True}}
        | {"backends": ["eager"], "backends_file": "mine.toml", "prompts": "{text} is", "label_words": {"1": "one"}}
    )
    assert given.suites == ("agnews", "weibo")
    assert given.data == Path("texts.csv")
    assert given.reading.label_map == (("1", "good"),)
    assert given.settings == ("mean=true",)
    assert given.engines == ("eager",)
    assert given.engines_file == Path("mine.toml")
    assert given.prompts.templates == ("{text} is",)
    assert given.prompts.label_words == {"1": "one"}
    with pytest.raises(ValidationError, match="unheard_of"):
        make_request(keywords | {"unheard_of": 1})
