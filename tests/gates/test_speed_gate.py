"""The speed gate: its rule on simulated turns, its processes on a tiny engine, and what the command refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import assert_one_line_error, bench
from gate_runs import stored
from synthetic_runs import answers_of, full_run
from tiny_classifiers import linear
from tiny_datasets import tiny_dataset

from bench.data.prepared import find_stored, save_dataset
from bench.errors import BenchError, NotAvailable
from bench.execution.console import RunConsole
from bench.gates.baseline import make_baseline, write_baseline
from bench.gates.check import check_run
from bench.gates.speed_check import SpeedOptions, find_classifier, gate_speed
from bench.gates.turns import HERE, Side, SpeedWorker, compare_speed, take_turns
from bench.gates.worker import Server, Turn, WorkerTask
from bench.machine.environment import hardware_fingerprint
from bench.quality.scores import measure_quality
from bench.results.records import StoredRun
from bench.results.verdicts import Verdict
from bench.types import EngineSpec
from reports.pages.check import CheckPage

QUIET = lambda *_: None  # noqa: E731 - progress nobody reads


def tiny_task(folder: Path, **fault: object) -> WorkerTask:
    linear(folder / "classifier")
    save_dataset(tiny_dataset(), folder / "data")
    spec = EngineSpec(
        name="planted", title="planted", backend="faulty", precision="fp32", options={"engine": "sklearn", **fault}
    )
    return WorkerTask(
        classifier=folder / "classifier",
        engine="sklearn",
        engine_spec=spec if fault else None,
        data_folder=folder / "data",
        items=50,
        device="cpu",
        threads=1,
        cache=folder / "cache",
    )


def test_three_processes_take_turns_and_a_planted_slowdown_is_measured(tmp_path: Path) -> None:
    base = Side(tiny_task(tmp_path / "base"))
    head = Side(tiny_task(tmp_path / "head", fault="slower", share=9.0))
    single, offline = compare_speed(base, head, ("single", "offline"), tmp_path / "log", QUIET, most_turns=15)
    assert (single.scenario, offline.scenario) == ("single", "offline")
    for judgement in (single, offline):
        assert judgement.turns == 15
        assert judgement.slowdown.value > 1.0
        assert judgement.held_up is not None
        assert judgement.verdict is (Verdict.INCONCLUSIVE if judgement.beside_others else Verdict.REGRESSED)


def test_each_text_of_a_turn_is_answered_once(tmp_path: Path) -> None:
    asked: list[str] = []
    server = Server(tiny_task(tmp_path))
    predict = server.session.predict
    server.session.predict = lambda texts: (asked.extend(texts), predict(texts))[1]
    for scenario in ("single", "offline"):
        asked.clear()
        places = (3, 1, 4, 15, 9, 2, 6)
        assert server.turn(Turn(scenario=scenario, texts=places, seed=5))["seconds"] > 0
        assert sorted(asked) == sorted(server.texts[place] for place in places)


def test_a_base_that_draws_its_texts_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.gates.turns.PROTOCOL", 3)
    worker = SpeedWorker(Side(tiny_task(tmp_path)), tmp_path / "log")
    with pytest.raises(BenchError, match="draws the turns' texts otherwise"), worker:
        pass


def test_a_worker_that_cannot_load_says_why(tmp_path: Path) -> None:
    task = tiny_task(tmp_path).model_copy(update={"engine": "eager"})
    with pytest.raises(BenchError, match=r"eager: .*log: "), SpeedWorker(Side(task), tmp_path / "log"):
        pass


def test_turns_are_as_many_as_allowed_and_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    side = Side(tiny_task(tmp_path))
    with SpeedWorker(side, tmp_path / "a") as one, SpeedWorker(side, tmp_path / "b") as two:
        seconds = take_turns([one, two, one, two], "single", 3, QUIET).seconds
    assert seconds.shape == (3, 4)
    assert (seconds > 0).all()
    assert list((tmp_path / "scratch").iterdir()) == []


# ---------------------------------------------------------------- rows and the command


def run_of_tiny_rows(folder: Path) -> StoredRun:
    """A stored run whose one row names a real classifier, and whose texts are in the cache."""
    run = full_run()
    (row,) = [result for result in run.results if result.cell.recipe == "tfidf"]
    classifier = linear(folder / "classifiers" / "agnews.tfidf.s0")
    data = tiny_dataset()
    answers = answers_of(np.arange(50) % 3, 3, 0.9, seed=0)
    changes = {"classifier_sha256": classifier.sha256, "data": data.card, "test_items": 50}
    row = row.model_copy(update={**changes, "quality": measure_quality(answers, data.card.class_names)})
    settings = run.settings.model_copy(update={"cells": (row.cell.id,), "threads": 1})
    return replace(
        run,
        folder=folder,
        settings=settings,
        results=(row,),
        answers={row.cell.id: answers},
        environment={**run.environment, "hardware_sha256": hardware_fingerprint()},
    )


def test_a_checked_row_gets_its_speed_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    run = run_of_tiny_rows(tmp_path / "run")
    save_dataset(tiny_dataset(), tmp_path / "cache" / "datasets" / "agnews-0123")
    baseline = make_baseline(run)
    options = SpeedOptions.of(None, None, 10)
    with RunConsole(quiet=True) as console:
        check = gate_speed(check_run(run, baseline), run, baseline, run.folder, options, console)
    (row,) = check.rows
    assert [part.scenario for part in row.speed] == ["single", "offline"]
    worst = {part.verdict for part in row.speed} | {row.judgement.verdict if row.judgement else None}
    assert row.verdict in worst
    page = CheckPage(check)
    assert page.markdown.startswith("## Quality and speed against the baseline: ")
    assert "### agnews: speed" in page.markdown
    assert "speed is not judged" not in page.markdown
    with pytest.raises(NotAvailable, match="is not on this machine"):
        find_classifier("0" * 64, run.folder)
    assert find_stored(tmp_path / "elsewhere", tiny_dataset().card) is None


def test_another_machine_is_refused_and_so_are_lonely_options(tmp_path: Path) -> None:
    run = full_run()
    folder = stored(run, tmp_path / "run")
    write_baseline(tmp_path / "b.json", make_baseline(run))
    check = ("check", str(folder), "--baseline", str(tmp_path / "b.json"))
    assert_one_line_error(bench(*check, "--speed"), 8, "another machine", "hardware feedfacefeed")
    assert_one_line_error(bench(*check, "--turns", "20"), 2, "belong to --speed")
    assert_one_line_error(bench(*check, "--speed", "--base-source", str(tmp_path)), 2, "no checkout")
    assert_one_line_error(bench(*check, "--speed", "--base-python", "none"), 2, "is no file")
    assert bench("check", str(folder), "--baseline", str(folder)).returncode == 0
    assert (HERE / "bench" / "speed_worker.py").is_file()


def test_the_command_measures_and_exits_with_the_verdict(tmp_path: Path) -> None:
    run = run_of_tiny_rows(tmp_path / "run")
    folder = stored(run, tmp_path / "run")
    save_dataset(tiny_dataset(), tmp_path / "cache" / "datasets" / "agnews-0123")
    done = bench(
        *("check", str(folder), "--baseline", str(folder), "--speed", "--turns", "10", "--base-source", str(HERE)),
        *("--markdown", str(tmp_path / "summary.md")),
        BENCH_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode in {0, 9, 10}, done.stderr
    assert "Quality and speed against the baseline" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "single" in done.stderr
    assert "### agnews: speed" in (tmp_path / "summary.md").read_text()
