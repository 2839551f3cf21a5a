"""`bench run` through the command line: on the samples, killed half-way, over its time limit, damaged."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from own_data_runs import COMMAND, assert_measured, own_data, run

from bench.results.records import Status
from bench.results.store import open_run

PATIENCE_S = 300


def cells(out: Path) -> dict[str, float]:
    return {path.name: path.stat().st_mtime_ns for path in (out / "cells").glob("*.json")}


@pytest.mark.slow
def test_both_samples_with_two_methods(tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = run("--suite", "agnews,weibo", "--methods", "tfidf,textcnn", "--out", str(out))
    assert done.returncode == 0, done.stderr
    for title in ("AG News", "weibo"):
        assert title.lower() in done.stdout.lower()
    assert "not comparable" in done.stdout
    stored = open_run(out)
    assert {result.cell.task for result in stored.results} == {"agnews", "weibo"}
    for result in stored.results:
        assert_measured(result)
        assert result.quality is not None
        assert result.parity is not None
        assert result.parity.passed
        chance = 1 / len(result.data.class_names)
        assert result.quality.accuracy.value > chance
        assert set(result.load) == {"single", "offline"}
        for summary in result.load.values():
            assert (out / summary.runs[0].latencies_file).is_file()
    before = cells(out)
    again = run("--suite", "agnews,weibo", "--methods", "tfidf,textcnn", "--out", str(out))
    assert again.stdout == done.stdout
    assert cells(out) == before


@pytest.mark.slow
def test_killed_half_way_it_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ("--data", str(own_data(tmp_path)), "--methods", "tfidf,textcnn", "--tier", "sample", "--out", str(out))
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_S
    while not (out / "cells").is_dir() or not cells(out):
        assert time.monotonic() < deadline, "no cell was finished"
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = cells(out)
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    after = cells(out)
    assert {name: after[name] for name in finished} == finished
    results = open_run(out).results
    assert {result.cell.recipe for result in results} == {"tfidf", "textcnn"}
    for result in results:
        assert_measured(result)
    assert not [path for path in out.rglob(".*") if path.name != ".lock"], "a scratch file was left behind"


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ("--data", str(own_data(tmp_path)), "--methods", "tfidf", "--tier", "sample", "--out", str(out))
    # a shell's background jobs ignore Ctrl-C, and this test may be run by one
    listening = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {COMMAND[2]}"
    process = subprocess.Popen(
        [*COMMAND[:2], listening, *COMMAND[3:], *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + PATIENCE_S
    while not (out / "run.json").exists():
        assert time.monotonic() < deadline, "the run did not start"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output == ""
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert run(*arguments).returncode == 0


def test_a_cell_over_its_limit_becomes_a_row(tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ("--data", str(own_data(tmp_path)), "--methods", "tfidf", "--tier", "sample", "--out", str(out))
    done = run(*arguments, "--cell-limit", "0.001")
    assert done.returncode == 5
    assert "TIMEOUT" in done.stdout
    [failed] = open_run(out).results
    assert failed.status is Status.TIMEOUT
    kept = run(*arguments)
    assert kept.returncode == 5, "a failed row stays until --retry"
    retried = run(*arguments, "--retry")
    assert retried.returncode == 0, retried.stderr
    [result] = open_run(out).results
    assert_measured(result)


def test_two_runs_in_one_folder_do_not_mix(tmp_path: Path) -> None:
    import fcntl

    out = tmp_path / "run"
    out.mkdir()
    with (out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (out / "run.json").write_text("{}")
        arguments = ("--data", str(own_data(tmp_path)), "--methods", "tfidf", "--out", str(out))
        refused = run(*arguments)
    assert refused.returncode == 6
    assert "another `bench run` is working" in refused.stderr


def test_an_older_schema_is_refused_and_kept(tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ("--data", str(own_data(tmp_path)), "--methods", "tfidf", "--tier", "sample", "--out", str(out))
    assert run(*arguments).returncode == 0
    path = out / "run.json"
    old = json.dumps(json.loads(path.read_text()) | {"schema_version": 0})
    path.write_text(old)
    refused = run(*arguments)
    assert refused.returncode == 6
    assert "schema version 0" in refused.stderr
    assert path.read_text() == old


def test_other_data_is_another_cell(tmp_path: Path) -> None:
    out, data = tmp_path / "run", own_data(tmp_path)
    arguments = ("--data", str(data), "--methods", "tfidf", "--tier", "sample", "--out", str(out))
    assert run(*arguments).returncode == 0
    [first] = open_run(out).results
    data.write_text(data.read_text().replace("today", "yesterday"))
    assert run(*arguments).returncode == 0
    [second] = open_run(out).results
    assert first.cell.id != second.cell.id
    assert first.data.fingerprint != second.data.fingerprint


def test_a_damaged_classifier_in_the_cache_is_trained_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    arguments = ("--data", str(own_data(tmp_path)), "--methods", "tfidf", "--tier", "sample")
    assert run(*arguments, "--out", str(tmp_path / "a"), BENCH_CACHE=str(cache)).returncode == 0
    [classifier] = (cache / "classifiers").iterdir()
    (classifier / "manifest.json").write_text("{")
    done = run(*arguments, "--out", str(tmp_path / "b"), BENCH_CACHE=str(cache))
    assert done.returncode == 0
    assert "training again" in done.stderr
    shutil.rmtree(cache)
