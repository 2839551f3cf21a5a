"""What is written is read back the same, whole or not at all, and damage is named."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import StoreError
from bench.files.cache import (
    ABANDONED_S,
    SCRATCH,
    clear_abandoned,
    is_replaceable,
    whole_file,
    whole_folder,
    write_whole,
)
from bench.results.records import Answers, RunSettings
from bench.results.store import (
    ENVIRONMENT,
    SETTINGS,
    open_run,
    read_answers,
    read_record,
    write_answers,
    write_json,
    write_record,
)
from bench.types import SCHEMA_VERSION, Prediction


def settings(**changes: object) -> RunSettings:
    plain = {
        "tasks": ("agnews",),
        "models": "small",
        "tier": "quick",
        "scenarios": ("single",),
        "engines": ("eager",),
        "recipes": ("tfidf",),
        "seeds": 1,
        "limit": None,
        "device": "cpu",
        "threads": 2,
    }
    return RunSettings(**(plain | changes))


@given(n=st.integers(1, 40), k=st.integers(2, 6), seed=st.integers(0, 2**16))
def test_answers_come_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, n: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    prediction = Prediction(
        probabilities=rng.dirichlet(np.ones(k), n).astype(np.float32),
        labels=rng.integers(-1, k, n),
        token_counts=rng.integers(1, 512, n).astype(np.int32),
        truncated=rng.random(n) < 0.5,
    )
    answers = Answers(ids=rng.permutation(n).astype(np.int64), labels=rng.integers(0, k, n), prediction=prediction)
    path = tmp_path_factory.mktemp("answers") / "a.parquet"
    write_answers(path, answers)
    back = read_answers(path)
    assert np.array_equal(back.ids, answers.ids)
    assert np.array_equal(back.labels, answers.labels)
    for field in ("probabilities", "labels", "token_counts", "truncated"):
        ours, theirs = getattr(prediction, field), getattr(back.prediction, field)
        assert np.array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


def test_damaged_predictions_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 half a file")
    with pytest.raises(StoreError, match=r"a\.parquet cannot be read as predictions"):
        read_answers(path)


def test_record_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / SETTINGS
    write_record(path, settings())
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"schema_version": SCHEMA_VERSION + 1}))
    with pytest.raises(StoreError, match=f"schema version {SCHEMA_VERSION + 1}, this harness reads {SCHEMA_VERSION}"):
        read_record(path, RunSettings)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not JSON"), ("[]", "schema version None"), ('{"schema_version": 1}', "tasks: Field required")],
)
def test_damaged_record_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / SETTINGS
    path.write_text(text)
    with pytest.raises(StoreError, match=message):
        read_record(path, RunSettings)


def test_folders_that_are_no_run_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no folder"):
        open_run(tmp_path / "missing")
    with pytest.raises(StoreError, match=r"holds no run\.json"):
        open_run(tmp_path)
    write_record(tmp_path / SETTINGS, settings(cells=("a-1",)))
    write_json(tmp_path / ENVIRONMENT, {})
    with pytest.raises(StoreError, match="no results yet"):
        open_run(tmp_path)


def test_a_failing_writer_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "made"
    with pytest.raises(RuntimeError, match="half-way"), whole_folder(target) as scratch:
        (scratch / "part").write_text("x")
        raise RuntimeError("half-way")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "made"
    with whole_folder(target) as scratch:
        (scratch / "part").write_text("x")
        assert not target.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["made"]
    assert (target / "part").read_text() == "x"


def test_writing_again_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_whole(path, b"long content")
    write_whole(path, b"short")
    assert path.read_bytes() == b"short"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_pipe_is_written_into_and_stays(tmp_path: Path) -> None:
    """As root, another file in the place of /dev/null or /dev/stdout would be every program's."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, b"content")
        assert os.read(reader, 100) == b"content"
        with whole_file(pipe) as scratch:
            scratch.write_bytes(b"more")
        assert os.read(reader, 100) == b"more"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert not is_replaceable(Path("/dev/stdout"))
    assert not is_replaceable(Path(os.devnull))


def test_a_file_that_cannot_be_written_is_named_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(prefix: str, dir: Path) -> None:
        raise PermissionError(13, "Permission denied", f"{dir}/{prefix}x7")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(PermissionError) as caught:
        write_whole(tmp_path / "leaderboard.md", b"1")
    assert caught.value.filename == str(tmp_path / "leaderboard.md")


def test_a_name_as_long_as_names_may_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'n' * 250}.csv"
    write_whole(path, b"1")
    with whole_file(path) as scratch:
        scratch.write_bytes(b"2")
    assert path.read_bytes() == b"2"


def test_what_killed_processes_left_in_the_cache_goes_when_it_is_old(tmp_path: Path) -> None:
    """And nothing else: the cache may be a folder that holds other things, such as a repository."""
    old, young, file = f"classifiers/{SCRATCH}old", f"classifiers/{SCRATCH}young", f"tuned/{SCRATCH}old.json"
    others = {"classifiers/whole", "classifiers/.git"}
    for name in (old, young, *others):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "model.safetensors").write_bytes(b"0")
    (tmp_path / "tuned").mkdir()
    (tmp_path / file).write_bytes(b"0")
    long_ago_s = time.time() - 2 * ABANDONED_S
    for name in (old, file, *others):
        os.utime(tmp_path / name, (long_ago_s, long_ago_s))
    clear_abandoned(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*")} == {young, *others}
    clear_abandoned(tmp_path / "not there yet")


def test_scratch_is_named_so_that_it_can_be_cleared(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "classifier") as scratch:
        assert scratch.name.startswith(SCRATCH)
        assert scratch.parent == tmp_path
