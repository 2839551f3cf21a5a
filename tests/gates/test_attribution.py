"""A regression is put down to the part that was changed: weights, tokenizer, engine, libraries or code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from command_line import bench
from gate_runs import stored
from safetensors.torch import load_file, save_file
from synthetic_runs import EAGER, ONNX, Method, full_run, prediction_of, result_of
from tiny_classifiers import sequence_bert
from tiny_datasets import tiny_dataset
from tiny_models import WORDS

from bench import registry
from bench.classifiers.folder import load_classifier, save_classifier
from bench.data.prepared import save_dataset
from bench.gates.turns import HERE, Side, SpeedWorker
from bench.gates.worker import WorkerTask
from bench.plan.engines import load_engines
from bench.results.records import Answers
from bench.types import Classifier, Prediction, Workplace

ITEMS = 60
Change = Callable[[Path], None]
BROKEN_LIBRARY = """
import json

_Tokenizer = Tokenizer


class Tokenizer:
    @staticmethod
    def from_file(path):
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        vocabulary = content["model"]["vocab"]
        plain = [word for word in vocabulary if not word.startswith("[")]
        ids = [vocabulary[word] for word in plain]
        vocabulary.update(zip(plain, reversed(ids)))
        return _Tokenizer.from_str(json.dumps(content))
"""
HONEST, BROKEN = "BatchedSession(tokenizer, forward,", "BatchedSession(tokenizer, lambda *given: -forward(*given),"


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
    session = registry.find("backend", "eager")(spec, Workplace("cpu", 1, classifier.path.parent)).load(classifier)
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


@dataclass(frozen=True)
class Case:
    """Two run folders of the same row; `truth` are the base's answers."""

    folder: Path
    base: Classifier
    truth: np.ndarray

    def attribute(self, *options: str, **env: str) -> str:
        """What the command prints on 80 columns."""
        done = bench(*self.arguments(*options), BENCH_CACHE=str(self.folder / "cache"), **env)
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= 80
        return " ".join(done.stdout.split())

    def found(self, *options: str, **env: str) -> dict:
        """The same for machines: its only row."""
        done = bench(*self.arguments("--json", *options), BENCH_CACHE=str(self.folder / "cache"), **env)
        assert done.returncode == 0, done.stderr
        [row] = json.loads(done.stdout)["rows"]
        return row

    def arguments(self, *options: str) -> tuple[str, ...]:
        return ("attribute", str(self.folder / "head"), "--baseline", str(self.folder / "base"), *options)

    def head_run(self, given: np.ndarray, engine: str = "eager", change: Change | None = None) -> None:
        """The head's run folder with these answers; its classifier is the base's, changed."""
        folder = self.folder / "head" / "classifiers" / "agnews.full-finetune.s0"
        shutil.copytree(self.base.path, folder)
        if change:
            change(folder)
        head = save_classifier(folder, load_classifier(folder).manifest)
        write_run(self.folder / "base", self.base, self.truth, self.truth, engine)
        write_run(self.folder / "head", head, self.truth, answers_of(head).labels if change else given, engine)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    base = balanced(tmp_path / "base" / "classifiers" / "agnews.full-finetune.s0")
    truth = answers_of(base).labels
    assert len(set(truth.tolist())) > 1
    save_dataset(tiny_dataset(), tmp_path / "cache" / "datasets" / "agnews-0123")
    return Case(tmp_path, base, truth)


def answers_under(case: Case, engine: str, python: Path = Path(sys.executable), source: Path = HERE) -> np.ndarray:
    """The base classifier's labels under another interpreter or checkout, by the process that `bench` itself uses."""
    task = WorkerTask(
        classifier=case.base.path,
        engine=engine,
        data_folder=case.folder / "cache" / "datasets" / "agnews-0123",
        items=ITEMS,
        device="cpu",
        threads=1,
        cache=case.folder / "cache",
    )
    with SpeedWorker(Side(task, python, source), case.folder / "worker.log") as worker:
        return np.array(worker.ask({"answers": True})["labels"])


def broken_checkout(folder: Path) -> Path:
    """A checkout of the harness whose ONNX engine turns every class's score around."""
    for package in ("bench", "backends", "trainers", "reports"):
        shutil.copytree(HERE / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "vendor"))
    engine = folder / "backends" / "onnx" / "engine.py"
    code = engine.read_text(encoding="utf-8")
    assert code.count(HONEST) == 1
    engine.write_text(code.replace(HONEST, BROKEN), encoding="utf-8")
    return folder


def broken_library(folder: Path) -> Path:
    """An interpreter with another version of tokenizers, which reads a vocabulary backwards."""
    venv.create(folder, with_pip=False)
    packages = next((folder / "lib").glob("python*")) / "site-packages"
    (packages / "parent.pth").write_text(f"{Path(tokenizers.__file__).parents[1]}\n", encoding="utf-8")
    shutil.copytree(Path(tokenizers.__file__).parent, packages / "tokenizers")
    with (packages / "tokenizers" / "__init__.py").open("a", encoding="utf-8") as file:
        file.write(BROKEN_LIBRARY)
    return folder / "bin" / "python"


@pytest.mark.slow
@pytest.mark.parametrize(("change", "culprit"), [(other_weights, "weights"), (other_tokenizer, "tokenizer")])
def test_the_half_of_the_classifier_that_was_changed_is_named(case: Case, change: Change, culprit: str) -> None:
    case.head_run(case.truth, change=change)
    row = case.found()
    assert row["culprits"] == [culprit]
    notes = {swap["part"]: swap["untried"] for swap in row["swaps"]}
    assert notes["libraries"] == "no base python"
    assert notes["code"] == "no base source"
    [other] = {"weights", "tokenizer"} - {culprit}
    assert notes[other] == "same"


@pytest.mark.slow
def test_code_is_named_when_the_base_s_checkout_repairs_the_row(case: Case) -> None:
    """The command runs from the head's checkout; the engine is named too, as the reference engine is not broken."""
    source = broken_checkout(case.folder / "checkout")
    given = answers_under(case, "onnx", source=source)
    assert (given != case.truth).mean() > 0.5
    case.head_run(given, "onnx")
    here = {"PYTHONPATH": str(source), "PYTHONSAFEPATH": "1"}
    row = case.found("--base-source", str(HERE), **here)
    assert row["culprits"] == ["engine", "code"]
    assert row["again"]["judgement"]["verdict"] == "REGRESSED"


@pytest.mark.slow
def test_libraries_are_named_when_the_base_s_interpreter_repairs_the_row(case: Case) -> None:
    python = broken_library(case.folder / "venv")
    given = answers_under(case, "eager", python=python)
    assert (given != case.truth).mean() > 0.5
    case.head_run(given)
    arguments = [
        str(python),
        "-c",
        "from bench.cli.main import main; main()",
        *case.arguments("--json", "--base-python", sys.executable),
    ]
    env = os.environ | {"BENCH_CACHE": str(case.folder / "cache"), "PYTHONPATH": str(HERE)}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    [row] = json.loads(done.stdout)["rows"]
    assert row["culprits"] == ["libraries"]
    assert {swap["part"]: swap["untried"] for swap in row["swaps"]}["code"] == "no base source"


@pytest.mark.slow
def test_a_head_that_is_not_regressed_when_asked_again_gives_no_culprit(case: Case) -> None:
    """As when the command runs beside the base's code: every swap would seem to repair the row."""
    case.head_run((case.truth + 1) % 3, "onnx")
    assert "not regressed when asked again here" in case.attribute()


def test_without_a_regression_there_is_nothing_to_attribute(tmp_path: Path) -> None:
    folder = stored(full_run(), tmp_path / "run")
    done = bench("attribute", str(folder), "--baseline", str(folder))
    assert done.returncode == 0, done.stderr
    assert "No result became worse" in done.stdout
    assert json.loads(bench("attribute", str(folder), "--baseline", str(folder), "--json").stdout) == {"rows": []}
