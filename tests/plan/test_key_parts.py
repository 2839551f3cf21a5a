"""Whatever changes a classifier or a measurement changes its key; what changes neither leaves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_datasets import tiny_dataset

from bench.plan import keys
from bench.plan.engines import load_engines
from bench.plan.keys import cell_key, classifier_key
from bench.plan.tiers import load_tier
from bench.types import BaseWeights, Classifier, FitRecord, Manifest, Recipe, TrainCut

DATA = tiny_dataset()
RECIPE = Recipe(id="r", title="r", method="tfidf")
BASE = BaseWeights(name="base", path=Path("base"), origin="here", sha256="a" * 64, max_length=128)
MANIFEST = Manifest(
    kind="linear",
    class_names=DATA.class_names,
    language="en",
    max_length=None,
    recipe=RECIPE,
    seed=0,
    data_fingerprint="none",
    fit=FitRecord(fit_s=0.0),
    settings={},
)
TRAINING: dict[str, Any] = {
    "data": DATA, "recipe": RECIPE, "base": BASE, "scorer": None, "seed": 0, "device": "cpu", "threads": 1,
}  # fmt: skip
MEASURING: dict[str, Any] = {
    "classifier": Classifier(path=Path("c"), manifest=MANIFEST, sha256="c" * 64),
    "data": DATA,
    "items": 10,
    "engine": load_engines()["eager"],
    "tier": load_tier("quick"),
    "scenarios": ("single",),
    "device": "cpu",
    "threads": 1,
}


def other_split(name: str) -> Any:
    split = getattr(DATA, name)
    return replace(DATA, **{name: replace(split, texts=(*split.texts[:-1], "a repaired text"))})


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("data", other_split("train")),
        ("data", other_split("validation")),
        ("data", replace(DATA, class_names=DATA.class_names[::-1])),
        ("recipe", RECIPE.model_copy(update={"params": {"min_df": 2}})),
        ("recipe", RECIPE.model_copy(update={"cut": TrainCut(items=5)})),
        ("recipe", RECIPE.model_copy(update={"method": "network"})),
        ("base", None),
        ("base", replace(BASE, sha256="b" * 64)),
        ("base", replace(BASE, pooling="cls")),
        ("base", replace(BASE, prefix="query: ")),
        ("base", replace(BASE, max_length=64)),
        ("base", replace(BASE, normalise=not BASE.normalise)),
        ("scorer", BASE),
        ("seed", 1),
        ("device", "cuda"),
        ("threads", 2),
    ],
)
def test_every_part_of_a_training_is_in_classifier_key(name: str, other: Any) -> None:
    assert classifier_key(**TRAINING) == classifier_key(**TRAINING)
    assert classifier_key(**{**TRAINING, name: other}) != classifier_key(**TRAINING)


def test_the_test_texts_and_the_row_of_a_table_are_in_no_classifier_key() -> None:
    assert classifier_key(**{**TRAINING, "data": other_split("test")}) == classifier_key(**TRAINING)
    renamed = RECIPE.model_copy(update={"row": "A1"})
    assert classifier_key(**{**TRAINING, "recipe": renamed}) == classifier_key(**TRAINING)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("classifier", replace(MEASURING["classifier"], sha256="d" * 64)),
        ("data", other_split("test")),
        ("items", 11),
        ("engine", load_engines()["onnx"]),
        ("engine", load_engines()["eager"].model_copy(update={"precision": "bf16"})),
        ("engine", load_engines()["eager"].model_copy(update={"options": {"token_budget": 2048}})),
        ("tier", load_tier("standard")),
        ("scenarios", ("single", "offline")),
        ("device", "cuda"),
        ("threads", 2),
    ],
)
def test_every_part_of_a_measurement_is_in_cell_key(name: str, other: Any) -> None:
    assert cell_key(**MEASURING) == cell_key(**MEASURING)
    assert cell_key(**{**MEASURING, name: other}) != cell_key(**MEASURING)


def test_the_training_texts_are_in_no_cell_key() -> None:
    """They are in the classifier's hash where they changed it."""
    assert cell_key(**{**MEASURING, "data": other_split("train")}) == cell_key(**MEASURING)


@pytest.mark.parametrize("part", ["hardware_fingerprint", "package_versions", "source_digest"])
def test_machine_versions_and_code_are_in_both(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = classifier_key(**TRAINING), cell_key(**MEASURING)
    monkeypatch.setattr(keys, part, lambda *_: f"another {part}")
    assert classifier_key(**TRAINING) != before[0]
    assert cell_key(**MEASURING) != before[1]


def test_the_bits_of_the_weights_are_in_cell_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cell_key(**MEASURING)
    monkeypatch.setattr(keys, "weight_bits", lambda _: 7)
    assert cell_key(**MEASURING) != before
