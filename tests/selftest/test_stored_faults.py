"""What the self-test plants in stored files and ranks is found, and each of these checks can fail."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from gate_runs import stored
from synthetic_runs import full_run
from tiny_datasets import tiny_dataset

from bench.plan.plan import TaskPlan
from bench.plan.tiers import load_tier
from bench.quality.ranking import Comparison
from bench.results.records import Interval
from bench.selftest import stored_faults
from bench.selftest.stored_faults import (
    SECRET,
    cross_metric_rank,
    hostile_folder,
    judge_folder,
    judge_keys,
    judge_rank,
    stale_tokenizer,
)
from bench.types import Recipe

RECIPE = Recipe(id="r", title="r", method="full-finetune")


@pytest.mark.slow
def test_a_repaired_tokenizer_is_trained_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    task = TaskPlan(data=tiny_dataset(), data_folder=tmp_path, tier=load_tier("sample"))
    check = stale_tokenizer(task, RECIPE, tmp_path / "model")
    assert check.passed, check.found
    monkeypatch.setattr(stored_faults, "classifier_key", lambda *_: "weights alone")
    blind = stale_tokenizer(task, RECIPE, tmp_path / "again")
    assert not blind.passed
    assert "old classifier" in blind.found


def test_a_key_of_the_weights_alone_fails_and_so_does_one_of_the_hour() -> None:
    assert judge_keys("a", "a", "b").passed
    assert not judge_keys("a", "a", "a").passed
    assert not judge_keys("a", "b", "c").passed


def test_ranks_are_tested_by_what_sorts() -> None:
    check = cross_metric_rank()
    assert check.passed, check.found


@pytest.mark.parametrize(
    ("p", "accuracy_p", "best", "passed"),
    [(0.3, 0.001, "A", True), (0.001, 0.001, "A", False), (0.3, 0.001, "B", False)],
)
def test_a_rank_by_accuracy_or_upside_down_fails(p: float, accuracy_p: float, best: str, passed: bool) -> None:
    found = Comparison(
        ahead="A",
        behind="B",
        n=2000,
        difference=Interval(value=0.003, low=-0.01, high=0.02),
        p=p,
        p_adjusted=p,
        accuracy_p=accuracy_p,
        discordant_share=0.1,
        smallest_difference=0.02,
    )
    assert judge_rank(found, best).passed is passed


def test_a_strangers_folder_is_refused(tmp_path: Path) -> None:
    run = stored(full_run(), tmp_path / "run")
    check = hostile_folder(run, tmp_path)
    assert check.passed, check.found


def test_a_reader_that_takes_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stored(full_run(), tmp_path / "run")
    monkeypatch.setattr(stored_faults, "open_run", lambda _: None)
    assert hostile_folder(run, tmp_path).found == "taken for a run"


def test_a_merge_that_writes_outside_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stored(full_run(), tmp_path / "run")

    def careless(folders: list[Path], out: Path) -> Any:
        shutil.copy(folders[1].parent.parent / "secret", out)

    monkeypatch.setattr(stored_faults, "merge_runs", careless)
    assert hostile_folder(run, tmp_path).found == "read or wrote outside"
    assert (tmp_path / "strangers" / "merged").read_bytes() == SECRET


def test_both_halves_of_the_folder_check_count() -> None:
    assert judge_folder(True, True).passed
    assert not judge_folder(False, True).passed
    assert not judge_folder(True, False).passed
