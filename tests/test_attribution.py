"""A regression is put down to the part that was changed: weights, tokenizer or engine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from synthetic_runs import EAGER, ONNX, Method, full_run, prediction_of, result_of
from test_cli import bench
from test_gates import stored
from test_speed_gate import tiny_dataset
from tiny_classifiers import sequence_bert
from tiny_models import WORDS

from bench import registry
from bench.artifacts import load_classifier, save_classifier
from bench.datasets import save_dataset
from bench.engines import load_engines
from bench.results import Answers
from bench.types import Classifier, Prediction

ITEMS = 60
Change = Callable[[Path], None]


def balanced(folder: Path) -> Classifier:
    """A tiny BERT whose random head gives every class to some texts."""
    sequence_bert(folder)
    probabilities = answers_of(load_classifier(folder)).probabilities
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] -= weights["classifier.bias"].new_tensor(np.log(probabilities).mean(axis=0))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return save_classifier(folder, load_classifier(folder).manifest)


def answers_of(classifier: Classifier) -> Prediction:
    spec = load_engines()["eager"]
    session = registry.find("backend", "eager")(spec, "cpu", 1, classifier.path.parent).load(classifier)
    prediction: Prediction = session.predict(tiny_dataset().test.texts)
    return prediction


def other_weights(folder: Path) -> None:
    """Every class's score turned around."""
    weights = load_file(folder / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = -weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def other_tokenizer(folder: Path) -> None:
    """The words' ids in reverse."""
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    vocabulary = content["model"]["vocab"]
    words = [word for word in vocabulary if word in WORDS]
    ids = [vocabulary[word] for word in words]
    vocabulary.update(zip(words, reversed(ids), strict=True))
    path.write_text(json.dumps(content), encoding="utf-8")


def nothing(_: Path) -> None:
    """The same classifier."""


def write_run(folder: Path, classifier: Classifier, labels: np.ndarray, given: np.ndarray, engine: str) -> Path:
    """A run folder of one row with these answers; the classifier lies in it."""
    run = full_run()
    data = tiny_dataset()
    answers = Answers(np.arange(ITEMS), labels, prediction_of(given, 3))
    method = Method("full-finetune", None, 0.9, 90, 60, (EAGER,))
    row = result_of(data.card, method, EAGER if engine == "eager" else ONNX, answers)
    row = row.model_copy(update={"classifier_sha256": classifier.sha256, "test_items": ITEMS})
    settings = run.settings.model_copy(update={"cells": (row.cell.id,), "threads": 1})
    made = replace(run, folder=folder, settings=settings, results=(row,), answers={row.cell.id: answers})
    return stored(made, folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "engine", "culprit"),
    [(other_weights, "eager", "weights"), (other_tokenizer, "eager", "tokenizer"), (nothing, "onnx", "engine")],
)
def test_the_part_that_was_changed_is_named(change: Change, engine: str, culprit: str, tmp_path: Path) -> None:
    base = balanced(tmp_path / "base" / "classifiers" / "agnews.full-finetune.s0")
    truth = answers_of(base).labels
    assert len(set(truth.tolist())) > 1
    head_folder = tmp_path / "head" / "classifiers" / "agnews.full-finetune.s0"
    shutil.copytree(base.path, head_folder)
    change(head_folder)
    head = save_classifier(head_folder, load_classifier(head_folder).manifest)
    given = answers_of(head).labels if change is not nothing else (truth + 1) % 3  # as a faulty engine would answer
    write_run(tmp_path / "base", base, truth, truth, engine)
    write_run(tmp_path / "head", head, truth, given, engine)
    save_dataset(tiny_dataset(), tmp_path / "cache" / "datasets" / "agnews-0123")

    arguments = ("attribute", str(tmp_path / "head"), "--baseline", str(tmp_path / "base"))
    shown = bench(*arguments, BENCH_CACHE=str(tmp_path / "cache"))
    assert shown.returncode == 0, shown.stderr
    assert f"{culprit} did it" in " ".join(shown.stdout.split())
    assert max(map(len, shown.stdout.splitlines())) <= 80
    found = json.loads(bench(*arguments, "--json", BENCH_CACHE=str(tmp_path / "cache")).stdout)
    (row,) = found["rows"]
    assert row["culprits"] == [culprit]
    notes = {swap["part"]: swap["note"] for swap in row["swaps"]}
    assert notes["libraries and code"].startswith("not tried")
    same = {"weights", "tokenizer"} - {culprit}
    assert all(notes[part] == "the same in base and head" for part in same)


def test_without_a_regression_there_is_nothing_to_attribute(tmp_path: Path) -> None:
    folder = stored(full_run(), tmp_path / "run")
    done = bench("attribute", str(folder), "--baseline", str(folder))
    assert done.returncode == 0, done.stderr
    assert "No row lost accuracy" in done.stdout
    assert json.loads(bench("attribute", str(folder), "--baseline", str(folder), "--json").stdout) == {"rows": []}
