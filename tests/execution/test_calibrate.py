"""A real calibration, and real runs that keep to a budget."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from own_data_runs import assert_measured, own_data, run

from bench.plan.calibration import Calibration
from bench.results.records import Status
from bench.results.store import open_run


@pytest.mark.slow
def test_the_defaults_are_measured_once_and_none_is_slower_than_eager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CALIBRATION", "on")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    own = ("--data", str(own_data(tmp_path)), "--methods", "textcnn", "--tier", "sample")
    done = run(*own, "--out", str(tmp_path / "first"))
    assert done.returncode == 0, done.stderr
    [file] = (tmp_path / "cache" / "calibration").glob("*.json")
    found = Calibration.model_validate_json(file.read_bytes())
    assert found.family == "network"
    assert found.fit_tokens_per_s
    assert found.of("eager").rates  # type: ignore[union-attr]
    assert "without downloads" in done.stderr
    settings = json.loads((tmp_path / "first" / "run.json").read_text(encoding="utf-8"))
    assert settings["estimated_s"] > 0
    assert settings["took_s"] > 0
    before = file.stat().st_mtime_ns
    again = run(*own, "--out", str(tmp_path / "second"))
    assert again.returncode == 0, again.stderr
    assert file.stat().st_mtime_ns == before
    jobs = (tmp_path / "second" / "logs" / "jobs.jsonl").read_text(encoding="utf-8")
    assert "calibrating" not in jobs
    assert run(*own, "--recalibrate", "--out", str(tmp_path / "third")).returncode == 0
    assert file.stat().st_mtime_ns != before


def test_what_does_not_fit_is_named_and_left_for_another_run(tmp_path: Path) -> None:
    own, out = ("--data", str(own_data(tmp_path)), "--methods", "tfidf", "--tier", "sample"), tmp_path / "run"
    done = run(*own, "--budget", "4s", "--out", str(out))  # the report alone takes that long
    assert done.returncode == 0, done.stderr
    [row] = open_run(out).results
    assert row.status is Status.SKIPPED
    assert row.over_budget
    assert "--budget 4s" in str(row.reason)
    assert "does not fit into --budget 4s" in done.stdout
    done = run(*own, "--out", str(out))
    assert done.returncode == 0, done.stderr
    [row] = open_run(out).results
    assert_measured(row)
    assert row.quality is not None
