"""The examples do what they say; `.ci/run` also installs and runs them as a user would."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from tiny_classifiers import linear, tiny_texts

from backends.sklearn_linear import SklearnBackend
from bench.plan.engines import read_engines
from bench.plan.recipes import recipes_for
from bench.types import EngineSpec, Workplace

EXAMPLES = Path(__file__).parents[2] / "examples"
PLUGIN = EXAMPLES / "engine-plugin"


def test_the_recipes_are_recipes() -> None:
    known = {recipe.id for recipe in recipes_for("small", EXAMPLES / "recipes.toml")}
    assert {"tfidf-unigrams", "encoder-slow"} <= known


def test_the_plug_in_answers_as_the_reference_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PLUGIN / "src")
    points = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]["entry-points"]["bench.backends"]
    [engine] = read_engines(PLUGIN / "engines.toml").values()
    module, _, name = points[engine.backend].partition(":")
    backend = getattr(__import__(module), name)
    classifier, place = linear(tmp_path / "tiny"), Workplace("cpu", 1, tmp_path)
    reference = EngineSpec(name="sklearn", title="", backend="sklearn", precision="fp32")
    texts = [*tiny_texts(50), "", "nothing known here"]
    assert backend.availability(engine, "cpu").ok
    answered = backend(engine, place).load(classifier).predict(texts)
    expected = SklearnBackend(reference, place).load(classifier).predict(texts)
    np.testing.assert_array_equal(answered.labels, expected.labels)
    np.testing.assert_array_equal(answered.token_counts, expected.token_counts)
    np.testing.assert_allclose(answered.probabilities, expected.probabilities, atol=1e-5)
    assert "folded_linear" in sys.modules
