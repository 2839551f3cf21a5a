"""`bench run --shard`: parts of a run beside each other, killed, finished by one, with the results of one machine."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from own_data_runs import COMMAND, own_data, run

from bench.machine.sole_use import FOLDER, machine_held
from bench.results.records import StoredRun
from bench.results.store import open_run

PATIENCE_S = 300


def start(*arguments: str, **env: str) -> subprocess.Popen[bytes]:
    import os

    return subprocess.Popen(
        [*COMMAND, *arguments, "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=os.environ | env,
    )


def rows(stored: StoredRun) -> dict[tuple[str, int, str | None], tuple[int, ...]]:
    return {
        (row.cell.recipe, row.cell.seed, row.cell.engine): tuple(stored.answers[row.cell.id].prediction.labels.tolist())
        for row in stored.results
    }


@pytest.mark.slow
def test_shards_and_a_kill_end_as_one_machine_does(tmp_path: Path) -> None:
    env = {"BENCH_CALIBRATION": "off", FOLDER: str(tmp_path)}
    common = ("--data", str(own_data(tmp_path)), "--methods", "tfidf", "--seeds", "3", "--tier", "sample")
    alone, out = tmp_path / "alone", tmp_path / "run"
    assert run(*common, "--out", str(alone), BENCH_CACHE=str(tmp_path / "cache-alone"), **env).returncode == 0
    env["BENCH_CACHE"] = str(tmp_path / "cache")
    first = start(*common, "--out", str(out), "--shard", "1/2", **env)
    deadline = time.monotonic() + PATIENCE_S
    while not list((out / "store" / "leases").glob("mine.*~*")):
        assert time.monotonic() < deadline
        assert first.poll() is None, first.communicate()
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = start(*common, "--out", str(out), "--shard", "2/2", **env)
    assert second.wait(PATIENCE_S) == 0, second.communicate()
    stamps = {path: path.stat().st_mtime_ns for path in (out / "store" / "results").iterdir()}
    assert stamps, "the second shard finished its part"
    done = run(*common, "--out", str(out), **env)
    assert done.returncode == 0, done.stderr
    whole, single = open_run(out), open_run(alone)
    assert rows(whole) == rows(single)
    assert len(whole.results) == len({row.cell.id for row in whole.results}) == 3
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps, "what was published stays as it is"
    for ours, theirs in zip(whole.results, single.results, strict=True):
        assert ours.classifier_sha256 == theirs.classifier_sha256
        assert ours.quality == theirs.quality
        mine, other = (stored.answers[row.cell.id] for stored, row in ((whole, ours), (single, theirs)))
        assert np.array_equal(mine.prediction.probabilities, other.prediction.probabilities)
    plan = next((out / "store" / "plans").iterdir())
    content = json.loads(plan.read_text())
    plan.write_text(json.dumps(content | {"identity": content["identity"] | {"hardware": "another"}}))
    refused = run(*common, "--out", str(out), "--shard", "1/2", **env)
    assert refused.returncode == 8
    assert "other hardware" in refused.stderr


def test_the_machine_is_held_by_one_or_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    monkeypatch.setenv(FOLDER, str(tmp_path))

    def is_free(operation: int) -> bool:
        with (tmp_path / "bench-machine.room.lock").open() as room:
            try:
                fcntl.flock(room, operation | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    with machine_held(alone=False):
        assert is_free(fcntl.LOCK_SH)
        assert not is_free(fcntl.LOCK_EX)
    with machine_held(alone=True):
        assert not is_free(fcntl.LOCK_SH)
    assert is_free(fcntl.LOCK_EX)
    with machine_held(alone=True, gpu="0"), machine_held(alone=True, gpu="GPU-1/a"):
        assert is_free(fcntl.LOCK_SH), "the rest of the machine is for all"
        assert not is_free(fcntl.LOCK_EX)
        with (tmp_path / "bench-machine.gpu-0.room.lock").open() as room, pytest.raises(BlockingIOError):
            fcntl.flock(room, fcntl.LOCK_SH | fcntl.LOCK_NB)


def test_what_cannot_be_divided_is_refused(tmp_path: Path) -> None:
    data = str(own_data(tmp_path))
    for extra, said in ((("--shard", "4/3"), "--shard 4/3"), (("--shard", "1/2", "--autotune"), "--autotune")):
        refused = run("--data", data, "--methods", "tfidf", "--out", str(tmp_path / "run"), *extra)
        assert refused.returncode == 2
        assert said in refused.stderr
