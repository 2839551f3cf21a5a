"""Static token vectors: those of the encoder that they are distilled from, and what is served of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import no_progress, tiny_bert, toy_dataset
from tiny_trainings import fit, logits_of, recipe
from transformers import BertModel

from bench.text.tokens import load_tokenizer
from trainers.static import distil, principal_components, zipf_weights

pytestmark = pytest.mark.kernels
CLS, SEP = 2, 3


def test_a_tokens_vector_is_the_encoders_of_the_token_alone(tmp_path: Path) -> None:
    base = tiny_bert(tmp_path / "base")
    table = distil(base, 32, None, "cpu", no_progress)
    vocabulary = json.loads((base.path / "tokenizer.json").read_bytes())["model"]["vocab"]
    assert table.shape == (len(vocabulary), 32)
    assert not table[:4].any(), "special tokens have no vector"
    model = BertModel.from_pretrained(base.path).eval()
    with torch.inference_mode():
        rows = torch.arange(4, len(vocabulary))
        ids = torch.stack([torch.full_like(rows, CLS), rows, torch.full_like(rows, SEP)], dim=1)
        vectors = model(ids).last_hidden_state.mean(dim=1).numpy()
    centred = vectors - vectors.mean(axis=0)
    # turning the axes, which principal components do, changes no product of two vectors; bf16 rounds them
    wanted = centred @ centred.T
    assert np.abs(table[4:] @ table[4:].T - wanted).max() < 0.02 * np.abs(wanted).max()


def test_principal_components_are_those_of_largest_variance() -> None:
    from sklearn.decomposition import PCA

    vectors = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32) * np.arange(1, 7)
    ours, theirs = principal_components(vectors, 3), PCA(3).fit_transform(vectors)
    assert np.abs(ours) == pytest.approx(np.abs(theirs), abs=1e-3)
    assert principal_components(vectors, 99).shape == (50, 6)


def test_rarer_tokens_weigh_more() -> None:
    weights = zipf_weights(1000, 1e-4)
    assert (np.diff(weights) > 0).all()
    assert 0 < weights[0] < weights[-1] < 1
    assert (zipf_weights(5, None) == 1).all()


def test_it_learns_and_serves_what_it_fitted_without_special_tokens(tmp_path: Path) -> None:
    data, base = toy_dataset(train=240, test=60), tiny_bert(tmp_path / "base")
    classifier = fit(recipe("static", width=24, strengths=[1000.0]), data, tmp_path / "c", base)
    [point] = classifier.manifest.fit.curve
    logits = logits_of(classifier, data.validation.texts)
    assert (logits.argmax(axis=1) == data.validation.labels).mean() == pytest.approx(point.accuracy, abs=0.01)
    assert (logits_of(classifier, data.test.texts).argmax(axis=1) == data.test.labels).mean() > 0.45
    assert classifier.kind == "network"
    assert load_tokenizer(classifier).encode(["goal match"]).ids == [[4, 5]]
    again = fit(recipe("static", width=24, strengths=[1000.0]), data, tmp_path / "again", base)
    assert again.sha256 == classifier.sha256
    unknown, alone = logits_of(classifier, ("goal zzz zzz", "goal"))
    assert unknown == pytest.approx(alone, abs=1e-5), "a token without a vector counts for nothing"
