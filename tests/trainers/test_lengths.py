"""How many tokens are read: as many as the base model's own files have room for, and what the row says of less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_models import tiny_bert, tiny_chat, tiny_modernbert, toy_dataset
from tiny_trainings import fit, recipe
from transformers import AutoConfig

from bench.models.base import _models
from bench.models.limits import positions_of, stated_positions
from bench.plan.studies import load_study
from bench.quality.scores import measure_quality
from bench.results.records import Answers
from bench.types import BaseWeights, Prediction

ONCE = {"learning_rate": 5e-3, "epochs": 1, "batch_size": 16}


@pytest.mark.parametrize(
    ("method", "make", "params"),
    [
        ("full-finetune", tiny_bert, ONCE),
        ("frozen-head", tiny_bert, {}),
        ("zero-shot", tiny_chat, {}),
        ("generate", tiny_chat, {}),
    ],
)
def test_a_length_that_the_model_lacks_is_said(
    tmp_path: Path, method: str, make: Callable[[Path], BaseWeights], params: dict[str, object]
) -> None:
    base = replace(make(tmp_path / "base"), positions=64)
    long = fit(recipe(method, **params, max_length=2048), toy_dataset(), tmp_path / "long", base)
    told = [note for note in long.manifest.fit.notes if "not the 2,048 asked for" in note]
    assert told == [
        f"reads {long.manifest.max_length} tokens, not the 2,048 asked for: {base.name} has room for no more"
    ]
    short = fit(recipe(method, **params, max_length=40), toy_dataset(), tmp_path / "short", base)
    assert short.manifest.max_length == 40
    assert not any("asked for" in note for note in short.manifest.fit.notes)


def test_the_length_is_that_of_the_models_own_files(tmp_path: Path) -> None:
    tiny_modernbert(tmp_path / "long")
    config = AutoConfig.from_pretrained(tmp_path / "long")
    config.max_position_embeddings = 8192
    config.save_pretrained(tmp_path / "long")
    assert positions_of(tmp_path / "long") == stated_positions(tmp_path / "long") == 8192
    tiny_bert(tmp_path / "short")
    assert positions_of(tmp_path / "short") == stated_positions(tmp_path / "short") == 64
    assert positions_of(tmp_path) is None
    assert all(spec.max_length is None for spec in _models().values()), "no named model is capped by the harness"


def test_the_study_of_lengths_goes_to_8192_tokens() -> None:
    lengths = [variant.params["max_length"] for variant in load_study("text-length").variants]
    assert lengths == [128, 256, 512, 1024, 2048, 4096, 8192]


def test_the_accuracy_on_truncated_texts_stands_apart() -> None:
    def accuracy(truncated: list[bool]) -> float | None:
        labels = np.array([0, 1, 0, 1])
        predicted = np.array([0, 1, 1, 1])
        given = Prediction(np.full((4, 2), 0.5, np.float32), predicted, np.ones(4, np.int32), np.array(truncated))
        return measure_quality(
            Answers(ids=np.arange(4), labels=labels, prediction=given), ("a", "b")
        ).truncated_accuracy

    assert accuracy([False, False, True, True]) == 0.5
    assert accuracy([False] * 4) is None
