"""The command line as a person meets it: help, wrong arguments, bad data; one line and its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import assert_one_line_error, bench

from bench.cli.main import _of_system
from bench.files.cache import SCRATCH

GOOD = "text,label\n" + "".join(f"the {w} number {n} is {w},{w}\n" for n in range(30) for w in ("good", "bad"))


def test_help_imports_nothing_heavy() -> None:
    done = bench("--help")
    assert done.returncode == 0
    for command in ("run", "report", "train", "predict", "list", "doctor", "completion", "check"):
        assert f"\n  {command}" in done.stdout
    probe = (
        "import sys; from bench.cli import cli; cli.main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    )
    modules = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout
    for heavy in ("torch", "transformers", "numpy", "pydantic", "rich", "sklearn"):
        assert f"'{heavy}'" not in modules


def test_bench_data_is_for_suites_alone(tmp_path: Path) -> None:
    assert_one_line_error(bench("run", BENCH_DATA=str(tmp_path)), 2, "nothing to run", "--suite", "--data")


@pytest.mark.parametrize(
    "command",
    [
        "run",
        "report",
        "train",
        "predict",
        "list",
        "doctor",
        "completion",
        "baseline",
        "check",
        "compare",
        "selftest",
        "attribute",
        "advise",
        "export",
        "merge",
    ],
)
def test_every_command_has_help(command: str) -> None:
    done = bench(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("runn",), ("no such command 'runn'", "did you mean run, tune?")),
        (("run",), ("name a suite", "--data")),
        (("run", "--suite", "agnewz"), ("unknown suite 'agnewz'", "agnews")),
        (("run", "--suite", ","), ("at least one name",)),
        (("run", "--suite", "agnews", "--methods", "tfdif"), ("unknown method 'tfdif'", "tfidf")),
        (("run", "--suite", "agnews", "--backends", "onx"), ("unknown engine 'onx'", "onnx")),
        (("run", "--suite", "agnews", "--scenario", "ofline"), ("unknown scenario 'ofline'", "offline")),
        (("run", "--suite", "agnews", "--tier", "quik"), ("unknown tier 'quik'", "quick")),
        (("run", "--suite", "agnews", "--seeds", "0"), ("--seeds 0",)),
        (("run", "--suite", "agnews", "--limit", "1"), ("--limit 1",)),
        (("run", "--suite", "agnews", "--models", "big"), ("big", "small")),
        (("run", "--suite", "agnews", "--nonsense"), ("--nonsense",)),
        (("completion", "tcsh"), ("tcsh", "bash")),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: tuple[str, ...], parts: tuple[str, ...]) -> None:
    out = ("--out", str(tmp_path / "run")) if arguments[0] == "run" and len(arguments) > 1 else ()
    assert_one_line_error(bench(*arguments, *out), 2, *parts)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("empty.csv", b"", ("empty",)),
        ("header.csv", b"text,label\n", ("header.csv",)),
        ("one.csv", b"text,label\na,x\nb,x\nc,x\n", ("two classes are needed",)),
        ("latin.csv", "text,label\ncafé,x\nthé,y\n".encode("latin-1"), ("UTF-8",)),
        ("twice.csv", b"text,text,label\na,b,x\nc,d,y\n", ("text", "twice.csv")),
        ("blank.csv", b"text,label\n,x\nb,y\nc,x\nd,y\n", ("empty",)),
        ("other.csv", b"a,b\n1,2\n3,4\n", ("--text-column",)),
        ("half.parquet", b"PAR1 half a file", ("half.parquet",)),
        ("data.xlsx", b"PK", (".xlsx",)),
    ],
)
def test_bad_data(tmp_path: Path, name: str, content: bytes, parts: tuple[str, ...]) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    done = bench("run", "--data", str(path), "--methods", "tfidf", "--out", str(tmp_path / "run"))
    assert_one_line_error(done, 3, *parts)
    assert not (tmp_path / "run").exists()


def test_data_pointing_at_nothing(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.csv")
    assert_one_line_error(bench("run", "--data", missing, "--methods", "tfidf"), 3, missing)


def test_a_label_that_train_lacks(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\na b,x\nc d,y\ne f,x\ng h,y\n")
    (tmp_path / "test.csv").write_text("text,label\na,x\nb,z\n")
    done = bench("run", "--data", str(tmp_path), "--methods", "tfidf", "--out", str(tmp_path / "run"))
    assert_one_line_error(done, 3, "z", "train")


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text(GOOD)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("x")
    done = bench(
        "run", "--data", str(tmp_path / "my.csv"), "--methods", "tfidf", "--out", str(tmp_path / "out"), "--quiet"
    )
    assert_one_line_error(done, 6, "other things than a run")
    assert [entry.name for entry in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_a_folder_with_another_programs_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text(GOOD)
    out = tmp_path / "out"
    out.mkdir()
    for name in (".lock", ".profile"):
        (out / name).write_text("x")
    done = bench("run", "--data", str(tmp_path / "my.csv"), "--methods", "tfidf", "--out", str(out), "--quiet")
    assert_one_line_error(done, 6, "other things than a run")
    assert (out / ".profile").exists()


@pytest.mark.slow
def test_a_run_refused_at_its_start_leaves_a_folder_that_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "my.csv").write_text(GOOD)
    arguments = ("run", "--data", str(tmp_path / "my.csv"), "--methods", "tfidf", "--tier", "sample", "--quiet")
    out = ("--out", str(tmp_path / "out"))
    refused = bench(*arguments, *out, "--set", "c=many")
    assert_one_line_error(refused, 2, "c")
    assert (tmp_path / "out" / "logs").is_dir()
    mine, left = tmp_path / "out" / ".gitignore", tmp_path / "out" / f"{SCRATCH}run.json.x1"
    for path in (mine, left):
        path.write_text("x")
    done = bench(*arguments, *out)
    assert done.returncode == 0, done.stderr
    assert mine.exists()
    assert not left.exists()


def test_report_on_what_is_no_run(tmp_path: Path) -> None:
    assert_one_line_error(bench("report", str(tmp_path / "none")), 6, "is no folder")
    assert_one_line_error(bench("report", str(tmp_path)), 6, "run.json")


def test_predict_with_what_is_no_classifier(tmp_path: Path) -> None:
    assert_one_line_error(bench("predict", str(tmp_path), "--text", "x"), 4, "manifest.json is missing")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = bench("--debug", "report", str(tmp_path / "none"))
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "StoreError" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(shell: str) -> None:
    done = bench("completion", shell)
    assert done.returncode == 0
    assert "_BENCH_COMPLETE" in done.stdout


def test_completion_offers_suites_after_a_comma() -> None:
    words = {"_BENCH_COMPLETE": "bash_complete", "COMP_WORDS": "bench run --suite agnews,we", "COMP_CWORD": "3"}
    done = bench(**words)
    assert "plain,agnews,weibo" in done.stdout.splitlines()


def test_list_and_doctor_for_machines() -> None:
    content = json.loads(bench("list", "--json").stdout)
    assert {"agnews", "weibo"} <= {suite["name"] for suite in content["suites"]}
    assert {"tfidf", "textcnn", "frozen-head", "full-finetune", "lora", "zero-shot"} <= {
        method["id"] for method in content["methods"]
    }
    recipes = json.loads(bench("list", "--recipes", "--json").stdout)
    assert {"A1", "A5", "B2", "C5", "C12", "D2"} <= {recipe["row"] for recipe in recipes}
    examined = json.loads(bench("doctor", "--json").stdout)
    for engine in examined["engines"]:
        assert engine["ready"] or (engine["reason"] and engine["remedy"])


def test_list_and_doctor_for_people() -> None:
    for command in (("list",), ("list", "--recipes"), ("doctor",)):
        done = bench(*command)
        assert done.returncode == 0
        assert max(len(line) for line in done.stdout.splitlines()) <= 80


@pytest.mark.parametrize(
    ("home", "refused", "advice"),
    [
        ("/home/me", "/home/me/.cache", True),
        ("/home/me", "/home/me/.cache/bench/datasets", True),
        ("/home/me", "/data/runs/a", False),
    ],
)
def test_a_cache_that_cannot_be_made_is_named(
    home: str, refused: str, advice: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    said = _of_system(PermissionError(13, "Permission denied", refused))
    assert said.startswith(f"{refused}: Permission denied")
    assert ("set BENCH_CACHE to a folder that can be written" in said) == advice


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no device that is always full")
def test_a_full_disk_behind_standard_output_is_an_error() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from bench.cli.main import main; main()", "list", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr.count("\n")) == (6, 1)
    assert "no disk space left" in done.stderr


@pytest.mark.slow
def test_own_data_end_to_end(tmp_path: Path) -> None:
    """A user's own file: run, report again from the files, train, predict; no network and no base model."""
    data, out = tmp_path / "my.csv", tmp_path / "run"
    data.write_text(GOOD.replace("text,label", "review,stars"))
    columns = ("--data", str(data), "--text-column", "review", "--label-column", "stars", "--methods", "tfidf")
    done = bench("run", *columns, "--out", str(out), "--tier", "sample")
    assert done.returncode == 0, done.stderr
    assert "my" in done.stdout
    markdown = (out / "leaderboard.md").read_text()

    again = bench("report", str(out), "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)
    assert (out / "leaderboard.md").read_text() == markdown
    assert len(list((out / "texts").iterdir())) == 1
    page = tmp_path / "page.html"
    assert bench("report", str(out), "--html", str(page), "--json").returncode == 0
    assert page.read_text() == (out / "leaderboard.html").read_text()

    resumed = bench("run", *columns, "--out", str(out), "--tier", "sample")
    assert resumed.stdout == done.stdout
    assert "offline" not in resumed.stderr

    trained = bench("train", *columns, "--out", str(tmp_path / "models"), "--json")
    assert trained.returncode == 0, trained.stderr
    [model] = json.loads(trained.stdout)
    assert [str(path) for path in (tmp_path / "models").glob("[!.]*")] == [model], "models/* is what predict takes"
    answers = json.loads(bench("predict", model, "--text", "the good one", "--json").stdout)
    assert answers[0]["models"][0]["label"] == "good"
    side_by_side = bench("predict", model, model, stdin="the bad one\n\nthe good one\n")
    assert side_by_side.stdout.count("bad") >= 2
    assert side_by_side.stdout.count("good") >= 2
