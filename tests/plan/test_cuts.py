"""Parts of the training texts: nested, hard and easy ones, noisy labels, first words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_models import no_progress, tiny_llama, toy_dataset
from tiny_trainings import fit, logits_of, recipe

from bench.data.cuts import cut_train
from bench.errors import NotAvailable
from bench.execution.hardness import hardness_of_train
from bench.plan.keys import classifier_key
from bench.types import BaseWeights, TrainCut, Workplace


def test_smaller_cuts_are_parts_of_larger_ones() -> None:
    data = toy_dataset(train=90)
    parts = [set(cut_train(data, TrainCut(items=items), None).train.ids) for items in (6, 30, 90)]
    assert parts[0] < parts[1] < parts[2]
    labels = cut_train(data, TrainCut(items=30), None).train.labels
    assert np.bincount(labels).tolist() == [10, 10, 10]
    with pytest.raises(NotAvailable, match="asks for 91 training texts, there are 90"):
        cut_train(data, TrainCut(items=91), None)


def test_so_many_texts_of_every_class_are_nested_and_refused_where_a_class_has_fewer() -> None:
    data = toy_dataset(train=90)
    skewed = replace(data, train=data.train.take(np.flatnonzero((data.train.labels > 0) | (data.train.ids < 30))))
    few, more = (cut_train(skewed, TrainCut(per_class=count), None).train for count in (3, 9))
    assert np.bincount(few.labels).tolist() == [3, 3, 3]
    assert np.bincount(more.labels).tolist() == [9, 9, 9]
    assert set(few.ids) < set(more.ids)
    with pytest.raises(NotAvailable, match="11 training texts of each class, 'sports' has 10"):
        cut_train(skewed, TrainCut(per_class=11), None)
    with pytest.raises(ValueError, match="leave items and selection out"):
        TrainCut(per_class=3, items=9)


def test_hard_and_easy_texts_are_chosen_within_each_class() -> None:
    data = toy_dataset(train=90)
    hardness = np.random.default_rng(0).random(90)
    hard = cut_train(data, TrainCut(items=30, selection="hard"), hardness).train
    easy = cut_train(data, TrainCut(items=30, selection="easy"), hardness).train
    by_id = dict(zip(data.train.ids.tolist(), hardness, strict=True))
    for label in range(3):
        of_class = sorted(hardness[data.train.labels == label])
        chosen = sorted(by_id[row] for row in hard.ids[hard.labels == label].tolist())
        assert chosen == of_class[-10:]
        assert sorted(by_id[row] for row in easy.ids[easy.labels == label].tolist()) == of_class[:10]


def test_label_noise_is_nested_and_of_the_share_asked_for() -> None:
    data = toy_dataset(train=100)
    wrong = []
    for share in (0.05, 0.2, 1.0):
        labels = cut_train(data, TrainCut(label_noise=share), None).train.labels
        wrong.append(set(np.flatnonzero(labels != data.train.labels)))
    assert [len(rows) for rows in wrong] == [5, 20, 100]
    assert wrong[0] < wrong[1] < wrong[2]


def test_first_words_are_characters_where_there_are_no_spaces() -> None:
    data = toy_dataset()
    assert all(len(text.split()) <= 3 for text in cut_train(data, TrainCut(first_words=3), None).train.texts)
    chinese = replace(data, language="zh")
    assert all(len(text) <= 3 for text in cut_train(chinese, TrainCut(first_words=3), None).train.texts)
    assert cut_train(data, TrainCut(first_words=3), None).test is data.test


def test_hardness_is_the_loss_of_the_true_label_and_kept(tmp_path: Path) -> None:
    base, data = tiny_llama(tmp_path / "base"), toy_dataset()
    place = Workplace("cpu", 1, tmp_path / "cache")
    hardness = hardness_of_train(data, base, place, no_progress)
    zero_shot = fit(recipe("zero-shot"), data, tmp_path / "c", base)
    logits = logits_of(zero_shot, data.train.texts).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -log_probabilities[np.arange(len(data.train)), data.train.labels]
    np.testing.assert_allclose(hardness, expected, atol=0.1)  # bf16 where the machine has it
    [file] = (tmp_path / "cache" / "hardness").iterdir()
    before = file.stat().st_mtime_ns
    np.testing.assert_array_equal(hardness_of_train(data, base, place, no_progress), hardness)
    assert file.stat().st_mtime_ns == before


def test_other_content_of_a_file_that_a_hyperparameter_names_is_another_training(tmp_path: Path) -> None:
    vectors, data = tmp_path / "vectors.txt", toy_dataset()
    made = recipe("network", vectors_file=str(vectors))
    vectors.write_text("goal 0.1 0.2\n")
    first = classifier_key(data, made, None, None, 0, "cpu", 1)
    vectors.write_text("goal 0.1 0.3\n")
    assert classifier_key(data, made, None, None, 0, "cpu", 1) != first
    vectors.write_text("goal 0.1 0.2\n")
    assert classifier_key(data, made, None, None, 0, "cpu", 1) == first


@pytest.mark.parametrize("field", ["sha256", "normalise", "positions", "max_length", "prefix", "pooling"])
def test_what_is_taken_from_a_base_model_is_in_the_key(field: str) -> None:
    base, data = BaseWeights("./m", Path("m"), "a", "folder ./m"), toy_dataset()
    other = replace(base, **{field: {"normalise": False, "positions": 7, "max_length": 7}.get(field, "last")})
    keys = {classifier_key(data, recipe("frozen-head"), one, None, 0, "cpu", 1) for one in (base, other)}
    assert len(keys) == 2
