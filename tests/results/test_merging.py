"""`bench merge`: one leaderboard of several machines, whose speeds are never ranked against each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import synthetic_runs as synthetic
from command_line import assert_one_line_error, bench
from stored_runs import store

from bench.errors import StoreError, UsageError
from bench.results.merging import merge_runs
from bench.results.records import StoredRun
from bench.results.store import open_run
from reports.leaderboard import render_leaderboard

OTHER = {"hardware_sha256": "0badcafe" * 8, "cpu": {"model": "Other CPU", "cores": 8, "features": []}}


@pytest.fixture
def merged(tmp_path: Path) -> StoredRun:
    run = synthetic.full_run()
    first, second = store(run, tmp_path / "a"), store(run, tmp_path / "b", **OTHER)
    merge_runs([first, second], tmp_path / "c")
    return open_run(tmp_path / "c")


def test_every_row_is_kept_under_its_machine(merged: StoredRun) -> None:
    run = synthetic.full_run()
    assert len(merged.results) == 2 * len(run.results)
    assert len({result.cell.id for result in merged.results}) == len(merged.results)
    assert {result.cell.machine for result in merged.results} == {
        "feedface",
        "0badcafe",
    }
    assert len(merged.answers) == 2 * len(run.answers)


def test_speed_is_ranked_on_each_machine_alone(merged: StoredRun) -> None:
    page = render_leaderboard(merged).markdown
    ranking = page.split("### Ranking")[1].split("###")[0]
    speed = [line for line in ranking.split("\n") if "RPS" in line or "texts/s" in line or "Training time" in line]
    assert len(speed) == 6
    for line in speed:
        assert ("on 0badcafe" in line) != ("on feedface" in line)
    assert ranking.count("Quality (macro F1)") == 1
    assert page.count("- Machine ") == 2
    assert "Other CPU" in page
    assert "speaks for no method" in ranking


def test_the_same_classifier_on_two_machines_is_one(merged: StoredRun) -> None:
    record = render_leaderboard(merged).to_dict()["tasks"][0]
    one_machine = [row for row in record["rows"] if row["quality"] and row["cell"]["machine"] == "feedface"]
    classifiers = {row["classifier_sha256"] for row in one_machine}
    changing = sum(2 * (not row["parity"]["passed"]) for row in one_machine if row["parity"])
    ranked = len(classifiers) + changing
    assert len(record["comparisons"]) == ranked * (ranked - 1) // 2


def test_ratios_are_to_the_reference_of_the_same_machine(merged: StoredRun) -> None:
    page = render_leaderboard(merged).markdown
    section = page.split("### RPS")[1].split("###")[0]
    assert len(re.findall(r"2\.50x", section)) == 4


def test_the_runs_themselves_stay_and_the_merged_one_stands_alone(tmp_path: Path) -> None:
    run = synthetic.sample_run()
    first, second = store(run, tmp_path / "a"), store(run, tmp_path / "b", **OTHER)
    before = sorted(path.read_bytes() for path in first.rglob("*") if path.is_file())
    merge_runs([first, second], tmp_path / "c")
    assert sorted(path.read_bytes() for path in first.rglob("*") if path.is_file()) == before
    for folder in (first, second):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    assert len(open_run(tmp_path / "c").answers) == 2 * len(run.answers)


def test_the_same_cell_of_the_same_machine_twice_is_refused_by_name(tmp_path: Path) -> None:
    run = synthetic.sample_run()
    first, second = store(run, tmp_path / "a"), store(run, tmp_path / "b")
    with pytest.raises(StoreError, match=r"tfidf s0 on sklearn stands in .*a and in .*b, both of machine feedface"):
        merge_runs([first, second], tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_different_tasks_of_one_machine_are_put_together(tmp_path: Path) -> None:
    first = store(synthetic.full_run(), tmp_path / "a")
    second = store(synthetic.sample_run(), tmp_path / "b")
    merge_runs([first, second], tmp_path / "c")
    page = render_leaderboard(open_run(tmp_path / "c")).markdown
    assert page.count("\n### Leaderboard") == 2


def test_what_cannot_be_merged_is_refused(tmp_path: Path) -> None:
    run = synthetic.sample_run()
    first, second = store(run, tmp_path / "a"), store(run, tmp_path / "b", **OTHER)
    nameless = store(run, tmp_path / "n", hardware_sha256=None)
    with pytest.raises(UsageError, match="two or more"):
        merge_runs([first], tmp_path / "c")
    with pytest.raises(StoreError, match="hardware_sha256"):
        merge_runs([first, nameless], tmp_path / "c")
    merge_runs([first, second], tmp_path / "c")
    with pytest.raises(StoreError, match="is a merged run"):
        merge_runs([tmp_path / "c", first], tmp_path / "d")
    with pytest.raises(StoreError, match="not an empty folder"):
        merge_runs([first, second], tmp_path / "c")


def test_a_half_written_run_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    run = synthetic.sample_run()
    first, second = store(run, tmp_path / "a"), store(run, tmp_path / "b", **OTHER)
    broken = next((second / "predictions").glob("*"))
    broken.write_bytes(broken.read_bytes()[:100])
    done = bench("merge", str(first), str(second), "--out", str(tmp_path / "c"))
    assert_one_line_error(done, 6, broken.name, "cannot be read as predictions")
    assert not (tmp_path / "c").exists()
    broken.unlink()
    assert_one_line_error(bench("report", str(second)), 6, broken.name)


def test_the_command_prints_the_whole(tmp_path: Path) -> None:
    run = synthetic.sample_run()
    first, second = store(run, tmp_path / "a"), store(run, tmp_path / "b", **OTHER)
    done = bench("merge", str(first), str(second), "--out", str(tmp_path / "c"), "--lang", "zh")
    assert done.returncode == 0, done.stderr
    assert "@0badcafe" in done.stdout
    assert (tmp_path / "c" / "leaderboard.zh.md").exists()
