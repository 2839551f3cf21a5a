"""Run folders from strangers: commands that read one end in a result or a sentence and touch nothing outside."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from gate_runs import stored
from synthetic_runs import full_run

from bench.cli import cli
from bench.cli.report import _write
from bench.errors import BenchError, StoreError
from bench.files.cache import file_name
from bench.gates.baseline import make_baseline, write_baseline
from bench.results.merging import merge_runs
from bench.results.store import open_run

STRINGS = (
    "../../../../escaped",
    "/etc/passwd",
    "..",
    ".",
    "",
    "a/../../escaped",
    "..\\escaped",
    "\x1b]0;owned\x07",
    "nul\x00byte",
    "x" * 5000,
    "=HYPERLINK(1)",
    "<script>alert(1)</script>",
)
VALUES = (*STRINGS, None, -1, 1e308, True, [], {}, [[[[]]]], {"a": {"b": []}})
COMMANDS = (
    ("report", "{run}"),
    ("report", "{run}", "--full", "--json"),
    ("report", "{run}", "--html", "{out}/page.html"),
    ("compare", "{honest}", "{run}"),
    ("check", "{run}", "--baseline", "{baseline}"),
    ("baseline", "{run}", "--out", "{out}/baseline.json"),
    ("attribute", "{run}", "--baseline", "{baseline}"),
    ("advise", "{run}", "--min-f1", "0.5"),
    ("export", "{run}", "--format", "csv", "--out", "{out}/rows.csv"),
    ("export", "{run}", "--format", "parquet", "--out", "{out}/rows.parquet"),
    ("export", "{run}", "--format", "model-index", "--out", "{out}/cards"),
    ("merge", "{honest}", "{run}", "--out", "{out}/merged"),
    ("trend", "{honest}", "{run}"),
    ("status", "{run}"),
    ("check", "{run}", "--baseline", "{baseline}", "--speed"),
    ("check", "{honest}", "--baseline", "{run}"),
    ("pytest-benchmark", "export", "{run}", "--out", "{out}/benchmarks.json"),
)


@pytest.fixture
def place(tmp_path: Path) -> dict[str, Path]:
    """An honest run, a copy that each test spoils, an empty folder for what is written, a secret beside them."""
    honest = stored(full_run(), tmp_path / "honest")
    spoilt = tmp_path / "deep" / "down" / "spoilt"
    shutil.copytree(honest, spoilt)
    environment = json.loads((spoilt / "environment.json").read_text(encoding="utf-8"))
    (spoilt / "environment.json").write_text(json.dumps(environment | {"hardware_sha256": "ab" * 32}), encoding="utf-8")
    baseline, secret = tmp_path / "baseline.json", tmp_path / "id_rsa"
    write_baseline(baseline, make_baseline(open_run(honest)))
    secret.write_text("a private key", encoding="utf-8")
    return {"run": spoilt, "honest": honest, "baseline": baseline, "out": tmp_path / "out", "secret": secret}


def outside(place: dict[str, Path]) -> dict[str, bytes]:
    """Every file but those of the spoilt run and of the output folder."""
    root = place["secret"].parent
    kept = (path for path in root.rglob("*") if path.is_file())
    own = (place["run"], place["out"], place["honest"] / "leaderboard.md", place["honest"] / "plots")
    return {str(path): path.read_bytes() for path in kept if not any(path.is_relative_to(folder) for folder in own)}


def run_all(place: dict[str, Path]) -> None:
    before = outside(place)
    for command in COMMANDS:
        shutil.rmtree(place["out"], ignore_errors=True)
        place["out"].mkdir()
        arguments = [part.format(**place) for part in command]
        done = CliRunner().invoke(cli, arguments, standalone_mode=False)
        assert done.exception is None or isinstance(done.exception, BenchError), (arguments, done.exc_info)
        assert "\x1b" not in done.output, arguments
        assert outside(place) == before, arguments
        written = [path.read_bytes() for path in place["out"].rglob("*") if path.is_file()]
        assert not any(b"a private key" in content for content in written), arguments


def spoil(content: Any, chance: random.Random) -> Any:
    """Replace or drop one value anywhere in it."""
    if isinstance(content, dict) and content and chance.random() < 0.9:
        key = chance.choice(sorted(content))
        if chance.random() < 0.1:
            return {name: value for name, value in content.items() if name != key}
        return content | {key: spoil(content[key], chance)}
    if isinstance(content, list) and content and chance.random() < 0.9:
        place = chance.randrange(len(content))
        return [*content[:place], spoil(content[place], chance), *content[place + 1 :]]
    return chance.choice(VALUES)


@pytest.mark.parametrize("seed", range(6))
def test_spoilt_json_is_refused_or_read_and_touches_nothing_else(seed: int, place: dict[str, Path]) -> None:
    chance = random.Random(seed)
    for path in chance.sample(sorted(place["run"].rglob("*.json")), 3):
        path.write_text(json.dumps(spoil(json.loads(path.read_text(encoding="utf-8")), chance)), encoding="utf-8")
    run_all(place)


@pytest.mark.parametrize("damage", ["cut", "empty", "not json", "deep", "folder", "list"])
@pytest.mark.parametrize("which", ["run.json", "environment.json", "cells", "predictions"])
def test_damaged_files_are_a_sentence(which: str, damage: str, place: dict[str, Path]) -> None:
    path = place["run"] / which
    file = path if path.is_file() else sorted(path.iterdir())[0]
    content = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
    else:
        spoilt = {"cut": content[: len(content) // 2], "empty": b"", "not json": b"\xff\x00", "list": b"[1]"}
        file.write_bytes(spoilt.get(damage, b"[" * 100_000))
    with pytest.raises(BenchError):
        open_run(place["run"])


def test_a_task_s_name_writes_no_escape_and_no_markup_into_the_path_of_a_picture(place: dict[str, Path]) -> None:
    name = "agnews\x1b]0;owned\x07(<img src=x onerror=alert(1)>) [a](b)"
    for file in (place["run"] / "cells").glob("*.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        content["cell"]["task"] = content["data"]["task"] = name
        file.write_text(json.dumps(content), encoding="utf-8")
    place["out"].mkdir()
    done = CliRunner().invoke(cli, ["report", str(place["run"]), "--html", str(place["out"] / "page.html")])
    assert done.exit_code == 0, done.output
    for written in (place["run"] / "leaderboard.md", place["out"] / "page.html"):
        text = written.read_text(encoding="utf-8")
        assert "\x1b" not in text
        assert "<img src=x" not in text
    pictures = [line for line in (place["run"] / "leaderboard.md").read_text().split("\n") if line.startswith("![")]
    assert pictures
    for line in pictures:
        path = line.rpartition("](")[2].removesuffix(")")
        assert not set(path) & set("()<>[] ")
        assert (place["run"] / unquote(path)).is_file()


IMPOSSIBLE = {
    "labels of other classes": ("label", lambda column: pa.array([4] * len(column))),
    "labels of no class": ("label", lambda column: pa.array([-1] * len(column))),
    "answers of other classes": ("prediction", lambda column: pa.array([999] * len(column))),
    "texts of less than no tokens": ("token_count", lambda column: pa.array([-5] * len(column))),
    "text for numbers": ("prediction", lambda column: pa.array(["=1+1\x1b"] * len(column))),
    "gaps": ("label", lambda column: pa.nulls(len(column), pa.int64())),
    "one class fewer": ("probabilities", lambda column: shares(len(column), 3, 1 / 3)),
    "probabilities below 0": ("probabilities", lambda column: shares(len(column), 4, -0.25)),
    "probabilities above 1": ("probabilities", lambda column: shares(len(column), 4, 7.0)),
    "probabilities that are no numbers": ("probabilities", lambda column: shares(len(column), 4, float("nan"))),
}


def shares(n: int, k: int, value: float) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.full(n * k, value, np.float32)), k)


@pytest.mark.parametrize("fault", IMPOSSIBLE)
def test_answers_that_can_be_none_are_refused(fault: str, place: dict[str, Path]) -> None:
    file = sorted((place["run"] / "predictions").iterdir())[0]
    table, (name, change) = pq.read_table(file), IMPOSSIBLE[fault]
    at = table.column_names.index(name)
    pq.write_table(table.set_column(at, name, change(table[name])), file)
    with pytest.raises(StoreError, match=r"predictions|figures that are not those of its answers"):
        open_run(place["run"])


@pytest.mark.parametrize("rows", [0, 100])
def test_fewer_answers_than_the_figures_are_of_are_refused(rows: int, place: dict[str, Path]) -> None:
    file = sorted((place["run"] / "predictions").iterdir())[0]
    pq.write_table(pq.read_table(file).slice(0, rows), file)
    with pytest.raises(
        StoreError, match=r"no answers|cannot be read as predictions|figures that are not those of its answers"
    ):
        open_run(place["run"])


@pytest.mark.parametrize("figure", ["accuracy", "n"])
def test_figures_that_their_answers_do_not_have_are_refused(figure: str, place: dict[str, Path]) -> None:
    """A stranger's folder may claim what it likes; its own answers say otherwise."""
    file = next(path for path in sorted((place["run"] / "cells").iterdir()) if '"quality": {' in path.read_text())
    content = json.loads(file.read_text(encoding="utf-8"))
    claimed = {"accuracy": {"value": 0.999, "low": 0.99, "high": 1.0}, "n": 7600}
    content["quality"][figure] = claimed[figure]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(StoreError, match="figures that are not those of its answers"):
        open_run(place["run"])


@pytest.mark.parametrize("which", ["run.json", "environment.json", "cells", "predictions"])
def test_links_out_of_the_folder_are_not_followed(which: str, place: dict[str, Path]) -> None:
    path = place["run"] / which
    file = path if path.is_file() else sorted(path.iterdir())[0]
    file.unlink()
    file.symlink_to(place["secret"])
    with pytest.raises(StoreError, match="leads out of the run folder"):
        open_run(place["run"])
    run_all(place)


@pytest.mark.parametrize("name", ["../../../../escaped", "/escaped", "a/b", ".hidden", "nul\x00byte"])
def test_a_cell_cannot_name_a_place(name: str, place: dict[str, Path]) -> None:
    for file in (place["run"] / "cells").glob("*.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        content["cell"]["id"] = name
        file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(StoreError):
        merge_runs([place["honest"], place["run"]], place["out"] / "merged")


def test_a_file_that_holds_another_cell_is_refused(place: dict[str, Path]) -> None:
    first, second, *_ = sorted((place["run"] / "cells").glob("*.json"))
    shutil.copy(second, first)
    with pytest.raises(StoreError, match="holds the result of another cell"):
        open_run(place["run"])


def test_merging_an_honest_stranger_still_works(place: dict[str, Path]) -> None:
    place["out"].mkdir()
    merge_runs([place["honest"], place["run"]], place["out"] / "merged")
    assert len(open_run(place["out"] / "merged").results) == 2 * len(open_run(place["honest"]).results)


@pytest.mark.parametrize("text", ["..", "a/b", "x" * 300, "中" * 120, "tab\there", "", ".hidden", "a\\b"])
def test_names_of_people_become_names_of_files(text: str) -> None:
    name = file_name(text)
    assert 0 < len(name.encode("utf-8")) <= 80
    assert not set(name) & set("/\\\x00\t")
    assert not name.startswith(".")


def test_long_names_stay_different_and_short_ones_as_they_are() -> None:
    assert file_name("x" * 300 + "1") != file_name("x" * 300 + "2")
    assert file_name("tfidf@max_features=9") == "tfidf@max_features=9"
    assert file_name("weibo/tags-stripped") == "weibo-tags-stripped"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EROFS, "Read-only file system"),
        (
            errno.EFBIG,
            "File too large: this shell allows no larger file (ulimit -f)",
        ),
    ],
)
def test_a_leaderboard_that_cannot_be_kept_is_said_and_no_failure(
    number: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number), "runs/a/leaderboard.md")

    monkeypatch.setattr("bench.results.leaderboards.write_files", refuse)
    _write(Path("runs/a"), None, "en", None, quiet=False, full=False)  # type: ignore[arg-type]
    assert capsys.readouterr().err.strip() == f"not written: runs/a/leaderboard.md: {said}"
