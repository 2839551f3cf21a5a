"""A part of a run into an S3 server, and the leaderboard made from it elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import bench
from own_data_runs import own_data, run
from s3_server import s3_server

from bench.machine.sole_use import FOLDER
from bench.results.store import open_run


@pytest.mark.slow
def test_another_machine_reports_what_a_part_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with s3_server(monkeypatch) as server:
        bucket = server.bucket
        env = {"BENCH_CALIBRATION": "off", FOLDER: str(tmp_path)}
        common = ("--data", str(own_data(tmp_path)), "--methods", "tfidf", "--tier", "sample", "--store", f"{bucket}/a")
        done = run(*common, "--out", str(one), "--shard", "1/1", BENCH_CACHE=str(tmp_path / "cache1"), **env)
        assert done.returncode == 0, done.stderr
        said = json.loads(bench("status", ".", "--store", f"{bucket}/a", "--json").stdout)
        assert (said["cells"], said["done"], said["waiting"], said["running"]) == (1, 1, 0, [])
        done = run(*common, "--out", str(two), BENCH_CACHE=str(tmp_path / "cache2"), **env)
        assert done.returncode == 0, done.stderr
    jobs = [json.loads(line)["job"] for line in (two / "logs" / "jobs.jsonl").read_text().splitlines()]
    assert jobs == ["check_recipes"], "nothing was done twice"
    [first], [second] = (open_run(folder).results for folder in (one / "shards" / "1-of-1", two))
    assert first == second
    assert not (tmp_path / "cache2" / "classifiers").exists(), "results need no weights"
