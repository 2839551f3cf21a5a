"""Architectures without checkpoints: as large as published, served like any classifier, and silent about quality."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
from own_data_runs import assert_measured
from tiny_architectures import build, tiny_architecture
from tiny_models import no_progress, toy_dataset
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from backends.eager import EagerBackend
from bench.errors import NotAvailable, UsageError
from bench.models.architectures import load_architectures, random_recipes
from bench.plan.engines import load_engines
from bench.plan.plan import make_plan
from bench.plan.request import RunRequest
from bench.results.store import open_run
from bench.types import Workplace

# Weights as the models' cards and safetensors headers give them, heads left out.
PUBLISHED = {
    "bert-base-uncased": 109_482_240,
    "deberta-v3-base": 183_831_552,
    "qwen3-0.6b": 596_049_920,
    "qwen3-0.6b-options": 596_049_920,
    "qwen3-4b": 4_022_468_096,
    "qwen3-8b": 8_190_735_360,
    "qwen3-embedding-0.6b": 595_776_512,
}


def test_every_architecture_has_the_published_number_of_weights() -> None:
    assert set(load_architectures()) == set(PUBLISHED)
    for name, spec in load_architectures().items():
        config = AutoConfig.for_model(**spec.config)
        auto_class = AutoModelForCausalLM if config.model_type == "qwen3" else AutoModel
        with torch.device("meta"):
            weights = sum(weight.numel() for weight in auto_class.from_config(config).parameters())
        assert weights == PUBLISHED[name], name
        assert spec.source.startswith("https://huggingface.co/")
        assert spec.source.endswith("config.json")


@pytest.mark.parametrize(("head", "kind"), [("linear", "sequence"), ("options", "options"), ("embedding", "embedding")])
def test_every_head_is_served_like_any_classifier(tmp_path: Path, head: str, kind: str) -> None:
    classifier = build(tmp_path, head, tiny_architecture(tmp_path / "base"))
    assert classifier.kind == kind
    assert "random weights of the true architecture, so no quality" in classifier.manifest.fit.notes
    assert "its own tokenizer" in classifier.manifest.fit.notes
    session = EagerBackend(load_engines()["eager"], Workplace("cpu", 1, tmp_path)).load(classifier)
    prediction = session.predict(toy_dataset().test.texts)
    assert prediction.probabilities.shape == (24, 3)
    assert prediction.probabilities.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert len({tuple(row) for row in prediction.probabilities.round(6).tolist()}) > 1, "the texts are not read"


def test_what_does_not_fit_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Small:
        available = 1_500_000_000

    monkeypatch.setattr(psutil, "virtual_memory", Small)
    with pytest.raises(NotAvailable, match="tiny needs about 2 GB of memory in fp32, 2 GB are free"):
        build(tmp_path, "linear", tiny_architecture(tmp_path / "base"))


def test_token_ids_stay_below_the_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="its embedding only 20"):
        build(tmp_path, "linear", tiny_architecture(tmp_path / "base", vocab_size=20))


def test_names_and_impossible_combinations() -> None:
    assert len({recipe.id for recipe in random_recipes()}) == len(PUBLISHED)
    with pytest.raises(UsageError, match="did you mean qwen3-4b"):
        make_plan(RunRequest(suites=("agnews",), weights="random", methods=("qwen3-4",)), no_progress)
    with pytest.raises(UsageError, match="--study, --recipes, --base, --set and --prompt have nothing to change"):
        make_plan(RunRequest(suites=("agnews",), weights="random", settings=("epochs=1",)), no_progress)


@pytest.mark.slow
def test_a_run_gives_rates_and_no_quality(tmp_path: Path) -> None:
    arguments = ["--suite", "agnews", "--weights", "random", "--methods", "bert-base-uncased", "--limit", "16"]
    command = [sys.executable, "-c", "from bench.cli.main import main; main()", "run", *arguments]
    done = subprocess.run(
        [*command, "--tier", "sample", "--backends", "eager", "--scenario", "single", "--out", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"COLUMNS": "100"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    [result] = open_run(tmp_path / "run").results
    assert_measured(result)
    assert result.quality is None
    assert result.cell.weights == "random"
    assert result.load["single"].rate_rps > 0
    assert result.work is not None
    assert "random weights" in (tmp_path / "run" / "leaderboard.md").read_text(encoding="utf-8")
    assert "F1" not in done.stdout
