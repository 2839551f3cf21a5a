"""`bench plan`: every training and cell, what waits for what, and that it is what a run then does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import bench
from own_data_runs import own_data

from bench.files.cache import cache_dir
from bench.plan.plan import make_plan
from bench.plan.request import RunRequest
from bench.plan.work import Item, work_items


def items_of(*arguments: str) -> list[Item]:
    return [Item.model_validate(item) for item in json.loads(bench("plan", *arguments, "--json").stdout)]


def test_each_classifier_is_a_training_and_the_cells_that_wait_for_it(tmp_path: Path) -> None:
    arguments = ("--data", str(own_data(tmp_path)), "--methods", "tfidf,textcnn", "--seeds", "2")
    items = items_of(*arguments, "--backends", "sklearn,onnx")
    assert [(item.recipe, item.seed, item.engine) for item in items] == [
        (recipe, seed, engine)
        for recipe, engines in (("tfidf", ["sklearn"]), ("textcnn", ["eager", "onnx"]))
        for seed in range(2)
        for engine in (None, *engines)
    ]
    keys = {item.key: item for item in items}
    assert len(keys) == len(items)
    for item in items:
        waits_for = [keys[key].engine for key in item.after]
        assert waits_for == {None: [], "onnx": [None, "eager"]}.get(item.engine, [None])
    alone = {item.engine: item.needs.whole_machine for item in items}
    assert alone == {None: True, "sklearn": True, "onnx": True, "eager": False}, (
        "eager gives the reference answers only"
    )
    assert [item.key for item in items_of(*arguments, "--backends", "sklearn,onnx")] == list(keys)


def test_what_decides_a_result_changes_its_key(tmp_path: Path) -> None:
    def plan(**changes: object) -> list[Item]:
        request = RunRequest(data=own_data(tmp_path), methods=("tfidf",), engines=("sklearn",)).model_copy(
            update=changes
        )
        return work_items(make_plan(request, lambda *_: None), {})

    training, cell = (item.key for item in plan())
    other_training, other_cell = (item.key for item in plan(settings=("word_ngrams=1",)))
    assert (other_training, other_cell) != (training, cell)
    same_training, slower_cell = (item.key for item in plan(tier="standard", scenarios=("single",)))
    assert same_training == training
    assert slower_cell != cell


def test_a_plan_trains_nothing_and_wants_the_names_that_a_run_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    table = bench("plan", "--data", str(own_data(tmp_path)), "--methods", "tfidf").stdout
    assert "1 trainings and 1 cells" in table
    assert not (cache_dir() / "classifiers").exists()
    refused = bench("plan", "--data", str(own_data(tmp_path)), "--methods", "tfidff")
    assert refused.returncode == 2
    assert "tfidf" in refused.stderr
