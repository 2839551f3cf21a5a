"""Contrastive tuning: what a pair is, what its loss is, and what is served of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import tiny_bert, toy_dataset
from tiny_trainings import fit, logits_of, recipe, split_of
from torch import nn

from bench.classifiers.modules import load_module
from bench.errors import NotAvailable
from bench.text.batching import pad
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, Split
from trainers.contrastive import cosine_error, make_pairs

pytestmark = pytest.mark.kernels
FAST = {"learning_rate": 5e-3, "iterations": 8, "max_length": 32}


@pytest.mark.parametrize("labels", [[0, 0, 0, 1, 1, 1, 1, 2, 2], [0, 1, 1], [0, 0, 0]])
def test_pairs_are_of_one_class_or_of_two_as_they_say(labels: list[int]) -> None:
    of_row = np.array(labels)
    pairs = make_pairs(of_row, 5, np.random.default_rng(0))
    same = of_row[pairs[:, 0]] == of_row[pairs[:, 1]]
    assert (same == (pairs[:, 2] == 1)).all()
    assert (pairs[:, 0] != pairs[:, 1]).all(), "a text is like itself whatever is learnt"
    counts = np.bincount(of_row)[of_row]
    for row in range(len(labels)):
        kinds = pairs[pairs[:, 0] == row, 2]
        assert kinds.sum() == (5 if counts[row] > 1 else 0)
        assert (kinds == 0).sum() == (5 if counts[row] < len(labels) else 0)


def test_one_text_makes_no_pair() -> None:
    with pytest.raises(NotAvailable, match="one training text makes no pair"):
        make_pairs(np.array([0]), 5, np.random.default_rng(0))


def test_the_loss_is_the_squared_error_of_the_cosine() -> None:
    class Sums(nn.Module):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return torch.stack([(input_ids * attention_mask).sum(1), attention_mask.sum(1)], dim=1).float()

    tokens = split_of(6)
    vectors = np.array([[sum(ids), len(ids)] for ids in tokens.ids], dtype=float)
    batch = np.array([[0, 3, 1], [1, 5, 0], [2, 4, 1]])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = np.mean([(unit[one] @ unit[other] - alike) ** 2 for one, other, alike in batch])
    assert cosine_error(Sums(), tokens, batch, "cpu").item() == pytest.approx(wanted, rel=1e-5)


def test_tuning_brings_texts_of_a_class_together_and_the_same_seed_repeats_it(tmp_path: Path) -> None:
    data, base = toy_dataset(train=48), tiny_bert(tmp_path / "base")
    tuned = fit(recipe("contrastive", **FAST), data, tmp_path / "tuned", base)
    frozen = fit(recipe("frozen-head", max_length=32), data, tmp_path / "frozen", base)
    assert spread(tuned, data.train) > spread(frozen, data.train) + 0.3
    assert score(tuned, data.train) > 0.9
    assert tuned.kind == "embedding"
    record = tuned.manifest.fit
    assert (record.steps, record.examples) == (48, 48)
    assert record.saved_bytes == 4 * record.trainable_parameters
    again = fit(recipe("contrastive", **FAST), data, tmp_path / "again", base)
    assert again.sha256 == tuned.sha256
    assert fit(recipe("contrastive", **FAST), data, tmp_path / "other", base, seed=1).sha256 != tuned.sha256


def test_so_many_steps_and_no_more(tmp_path: Path) -> None:
    made = recipe("contrastive", **FAST, max_steps=3)
    assert fit(made, toy_dataset(), tmp_path / "c", tiny_bert(tmp_path / "base")).manifest.fit.steps == 3


def score(classifier: Classifier, split: Split) -> float:
    return float((logits_of(classifier, split.texts).argmax(axis=1) == split.labels).mean())


def spread(classifier: Classifier, split: Split) -> float:
    """How much nearer the vectors of one class are than those of two."""
    encoder, tokenizer = load_module(classifier).sentence_encoder, load_tokenizer(classifier)
    encoded = tokenizer.encode(split.texts)
    ids, mask = pad(encoded.ids, np.arange(len(encoded.ids)), tokenizer.pad_id)
    with torch.inference_mode():
        cosines = nn.functional.normalize(encoder(torch.from_numpy(ids), torch.from_numpy(mask)), dim=-1)
    cosine = (cosines @ cosines.T).numpy()
    same = split.labels[:, None] == split.labels[None, :]
    return float(cosine[same].mean() - cosine[~same].mean())
