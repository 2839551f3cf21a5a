"""Studies, tuning and settings through the commands."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from command_line import bench
from tiny_models import CLASS_NAMES, toy_dataset
from tiny_trainings import FAST, fit, logits_of, recipe

from bench.errors import UsageError
from bench.execution.search import load_space, recipe_toml
from bench.plan.recipes import vary
from bench.types import Dataset, Recipe


@pytest.fixture()
def own_file(tmp_path: Path) -> Path:
    data: Dataset = toy_dataset(train=60, validation=0, test=30)
    rows = zip(data.train.texts, data.train.labels, strict=True)
    file = tmp_path / "toy.csv"
    file.write_text("text,label\n" + "".join(f"{text},{CLASS_NAMES[label]}\n" for text, label in rows))
    return file


@pytest.mark.slow
def test_a_misspelt_parameter_stops_the_run_before_anything_is_trained(own_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = bench("run", "--data", str(own_file), "--methods", "tfidf", "--set", "max_featurs=9", "--out", str(out))
    assert done.returncode == 2
    assert "unknown parameter of recipe 'tfidf@max_featurs=9' 'max_featurs'; did you mean max_features" in done.stderr
    assert not (out / "cells").exists()


@pytest.mark.slow
def test_a_study_makes_a_table_and_a_plot(own_file: Path, tmp_path: Path) -> None:
    out, study = tmp_path / "run", tmp_path / "sizes.toml"
    study.write_text(
        'title = "How many?"\naxis = "training texts"\nmethods = ["tfidf"]\n'
        'variants = [{ name = "6", cut = { items = 6 } }, { name = "24", cut = { items = 24 } }, { name = "all" },'
        ' { name = "99", cut = { items = 99 } }]\n'
    )
    done = bench("run", "--data", str(own_file), "--study", str(study), "--tier", "sample", "--out", str(out))
    assert done.returncode == 0, done.stderr
    page = (out / "leaderboard.md").read_text(encoding="utf-8")
    assert "### How many?: tfidf" in page
    assert "SKIPPED: training: the cut asks for 99 training texts" in page
    plot = (out / "plots" / "toy.study.svg").read_text(encoding="utf-8")
    assert plot.startswith("<?xml")
    assert "![" in page
    again = bench("report", str(out))
    assert again.returncode == 0
    assert (out / "plots" / "toy.study.svg").read_text(encoding="utf-8") == plot


@pytest.mark.slow
def test_tuning_writes_a_recipe_that_runs(own_file: Path, tmp_path: Path) -> None:
    tuned, space = tmp_path / "tuned.toml", tmp_path / "space.toml"
    space.write_text("[tfidf]\nmax_features = { choices = [1, 500] }\nword_ngrams = { choices = [1, 2] }\n")
    common = ("--data", str(own_file), "--methods", "tfidf", "--quiet")
    done = bench("tune", *common, "--space", str(space), "--trials", "6", "--out", str(tuned))
    assert done.returncode == 0, done.stderr
    made = tomllib.loads(tuned.read_text())["tfidf-tuned"]
    assert made["params"]["max_features"] == 500, "one word cannot tell three classes apart"
    run = bench(
        "run",
        "--data",
        str(own_file),
        "--recipes",
        str(tuned),
        "--tier",
        "sample",
        "--out",
        str(tmp_path / "r"),
        "--json",
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["settings"]["recipes"] == ["tfidf-tuned"]
    two = bench("tune", "--data", str(own_file), "--methods", "tfidf,textcnn")
    assert two.returncode == 2
    assert "one task and one recipe" in two.stderr


def test_a_search_space_must_know_the_method(tmp_path: Path) -> None:
    assert load_space("lora", None)["r"].choices
    with pytest.raises(UsageError, match=r"has no table \[zero-shot\]; known: full-finetune"):
        load_space("zero-shot", None)


def test_a_tuned_recipe_is_toml() -> None:
    made = Recipe(id="a b", title='quo"te', method="lora", role="encoder", params={"r": 4, "targets": ("q", "v")})
    back = tomllib.loads(recipe_toml(made))["a b-tuned"]
    assert back == {
        "title": 'quo"te, tuned',
        "method": "lora",
        "role": "encoder",
        "params": {"r": 4, "targets": ["q", "v"]},
    }
    assert vary([made], "x")[0].variant_of == "a b"


@pytest.mark.slow
def test_four_bits_train_and_come_back_as_plain_weights(tmp_path: Path) -> None:
    from tiny_models import tiny_chat

    base = tiny_chat(tmp_path / "base")
    params = FAST | {"max_length": 48, "chat": True, "epochs": 30, "learning_rate": 2e-2, "r": 16}
    made = recipe("sft", **params, weights="qlora")
    data = toy_dataset(train=240, validation=60, test=60)
    classifier = fit(made, data, tmp_path / "c", base)
    logits = logits_of(classifier, data.test.texts)
    kept = [p for p in classifier.manifest.fit.curve if p.step == classifier.manifest.fit.chosen_step]
    assert (logits.argmax(axis=1) == data.test.labels).mean() > 0.5, "chance is 0.33"
    validated = (logits_of(classifier, data.validation.texts).argmax(axis=1) == data.validation.labels).mean()
    assert validated == pytest.approx(kept[0].accuracy, abs=0.12)
    assert "quantization_config" not in json.loads((classifier.path / "config.json").read_text())
