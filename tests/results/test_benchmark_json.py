"""Speed rows as pytest-benchmark reads them, and its files as we read them; with the real pytest-benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import assert_one_line_error, bench
from gate_runs import run_pytest, stored
from hypothesis import given
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats
from synthetic_runs import full_run

from bench.results.pytest_benchmark import export_run, read_benchmarks, statistics_of
from bench.results.records import StoredRun
from bench.results.store import write_latencies


def with_latencies(folder: Path) -> StoredRun:
    """The synthetic run on disk; its first row has the latencies of 700 queries."""
    run = full_run()
    row = run.results[0]
    single = row.load["single"]
    name = "latencies/first.single.parquet"
    measured = single.model_copy(update={"runs": (single.runs[0].model_copy(update={"latencies_file": name}),)})
    row = row.model_copy(update={"load": {**row.load, "single": measured}})
    run = replace(run, folder=folder, results=(row, *run.results[1:]))
    stored(run, folder)
    write_latencies(folder / name, np.random.default_rng(0).lognormal(13, 0.2, 700).astype(np.int64))
    return run


@given(rounds=st.lists(st.floats(1e-6, 100.0), min_size=1, max_size=80))
def test_the_statistics_are_those_of_pytest_benchmark(rounds: list[float]) -> None:
    theirs = Stats()
    for duration in rounds:
        theirs.update(duration)
    ours = statistics_of(np.array(rounds))
    for field in ("min", "max", "mean", "stddev", "median", "iqr", "q1", "q3", "ops", "total", "rounds"):
        assert ours[field] == pytest.approx(getattr(theirs, field), rel=1e-9, abs=1e-9), field


def test_the_outliers_are_those_of_pytest_benchmark() -> None:
    for n in (1, 2, 5, 7, 40, 699):
        rounds = np.random.default_rng(n).lognormal(sigma=1.0, size=n)
        theirs, ours = Stats(), statistics_of(rounds)
        for duration in rounds.tolist():
            theirs.update(duration)
        for field in ("outliers", "iqr_outliers", "stddev_outliers"):
            assert ours[field] == getattr(theirs, field)
        assert (ours["ld15iqr"], ours["hd15iqr"]) == (theirs.ld15iqr, theirs.hd15iqr)


def test_pytest_benchmark_compares_two_runs_and_draws_them(tmp_path: Path) -> None:
    with_latencies(tmp_path / "run")
    for name in ("old.json", "new.json"):
        done = bench("pytest-benchmark", "export", str(tmp_path / "run"), "--out", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
    program = str(Path(sys.executable).with_name("pytest-benchmark"))
    compared = subprocess.run(
        [program, "compare", "old.json", "new.json", "--group-by=fullname", "--histogram=plots/speed"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert compared.returncode == 0, compared.stderr
    assert "tfidf.s0[sklearn-single]" in compared.stdout
    assert "tfidf.s0[sklearn-offline]" in compared.stdout
    assert "700" in compared.stdout
    assert len(list((tmp_path / "plots").glob("*.svg"))) == len(full_run_rows()) * 2


def full_run_rows() -> list[str]:
    return [result.cell.id for result in full_run().results if result.load]


def test_rounds_are_queries_for_single_and_runs_for_offline(tmp_path: Path) -> None:
    benchmarks = {row["name"]: row for row in export_run(with_latencies(tmp_path))["benchmarks"]}
    single, offline = benchmarks["tfidf.s0[sklearn-single]"], benchmarks["tfidf.s0[sklearn-offline]"]
    assert single["stats"]["rounds"] == 700
    assert offline["stats"]["rounds"] == 1
    assert offline["stats"]["ops"] == pytest.approx(offline["extra_info"]["rate_rps"])


def test_files_of_pytest_benchmark_are_read(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_it(benchmark):\n    benchmark.pedantic(sum, ((1, 2),), rounds=70)\n")
    done = run_pytest("--benchmark-json=theirs.json", "--benchmark-save-data", "-q", folder=tmp_path)
    assert done.returncode == 0, done.stdout
    (row,) = read_benchmarks(tmp_path / "theirs.json")
    assert (row.name, row.rounds) == ("test_it.py::test_it", 70)
    assert row.rate_rps > 0
    assert row.p90_ms is not None
    assert row.p99_ms is None
    shown = bench("pytest-benchmark", "import", str(tmp_path / "theirs.json"))
    assert "test_it.py::test_it" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    listed = json.loads(bench("pytest-benchmark", "import", str(tmp_path / "theirs.json"), "--json").stdout)
    assert listed[0]["rounds"] == 70


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    for content, message in (("{", "is not JSON"), ("{}", "benchmarks: Field required"), ("[]", "no pytest-benchmark")):
        other.write_text(content)
        assert_one_line_error(bench("pytest-benchmark", "import", str(other)), 3, message)
    assert_one_line_error(bench("pytest-benchmark", "import", str(tmp_path / "none.json")), 3, "cannot be read")
    assert_one_line_error(bench("pytest-benchmark", "export", str(tmp_path)), 6, "run.json")
