"""Ready-made models: the order of their labels, and sets that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_models import CLASS_NAMES, tiny_bert, tiny_llama, toy_dataset
from tiny_trainings import fit, logits_of, recipe
from transformers import AutoModelForSequenceClassification, BertConfig

from bench.errors import NotAvailable
from bench.models.base import base_weights
from bench.types import BaseWeights
from trainers.ready_made import label_order


def ready_made(folder: Path, labels: dict[int, str]) -> BaseWeights:
    base = tiny_bert(folder)
    names = {"num_labels": len(labels), "id2label": labels, "label2id": {name: at for at, name in labels.items()}}
    AutoModelForSequenceClassification.from_pretrained(folder, **names).save_pretrained(folder)
    return base


def test_a_ready_made_model_answers_in_the_tasks_order(tmp_path: Path) -> None:
    base = ready_made(tmp_path / "base", {0: "Science", 1: "Sports", 2: "Money"})
    classifier = fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", base)
    texts = toy_dataset().test.texts
    weights = AutoModelForSequenceClassification.from_pretrained(base.path).state_dict()
    found = AutoModelForSequenceClassification.from_pretrained(classifier.path)
    assert (found.state_dict()["classifier.weight"] == weights["classifier.weight"][[1, 2, 0]]).all()
    assert found.config.id2label == dict(enumerate(CLASS_NAMES))
    assert found.config.label2id == {name: at for at, name in enumerate(CLASS_NAMES)}
    assert logits_of(classifier, texts).shape == (len(texts), 3)
    assert classifier.manifest.fit.trainable_parameters == 0
    assert classifier.manifest.fit.notes == ("ready-made; nothing was trained",)


def test_labels_without_names_are_taken_in_order_and_that_is_said(tmp_path: Path) -> None:
    plain = ready_made(tmp_path / "plain", {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"})
    as_is = fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", plain)
    assert (as_is.path / "model.safetensors").read_bytes() == (plain.path / "model.safetensors").read_bytes()
    assert "assumed LABEL_0 = sports, LABEL_1 = money, LABEL_2 = science" in as_is.manifest.fit.notes[1]
    named = fit(recipe("ready-made", labels=["LABEL_2", "LABEL_0", "LABEL_1"]), toy_dataset(), tmp_path / "d", plain)
    assert named.manifest.fit.notes == ("ready-made; nothing was trained",)
    texts = toy_dataset().test.texts
    np.testing.assert_allclose(logits_of(named, texts), logits_of(as_is, texts)[:, [2, 0, 1]], rtol=1e-4, atol=1e-5)


def test_labels_that_differ_in_capitals_alone_keep_their_places() -> None:
    def config(*names: str) -> BertConfig:
        return BertConfig(id2label=dict(enumerate(names)), label2id={name: at for at, name in enumerate(names)})

    assert label_order(config("us", "US"), "m", None, ("US", "us"))[0] == [1, 0]
    assert label_order(config("Us", "Them"), "m", None, ("them", "us"))[0] == [1, 0]
    with pytest.raises(NotAvailable, match="labels are us, US, not Us, uS"):
        label_order(config("us", "US"), "m", None, ("Us", "uS"))
    with pytest.raises(NotAvailable, match="labels are a, b, not a, a"):
        label_order(config("a", "b"), "m", ("a", "a"), ("a", "b"))


def test_id2label_and_label2id_that_disagree_are_refused_unless_named() -> None:
    config = BertConfig(id2label={0: "neg", 1: "pos"}, label2id={"neg": 1, "pos": 0})
    with pytest.raises(NotAvailable, match="id2label says neg, pos, label2id another order"):
        label_order(config, "./m", None, ("neg", "pos"))
    assert label_order(config, "./m", ("pos", "neg"), ("neg", "pos"))[0] == [1, 0]


def test_a_model_of_another_label_set_is_refused(tmp_path: Path) -> None:
    two = ready_made(tmp_path / "two", {0: "neg", 1: "pos"})
    with pytest.raises(NotAvailable, match=r"knows 2 classes \(neg, pos\), the task has 3"):
        fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", two)
    others = ready_made(tmp_path / "others", {0: "red", 1: "green", 2: "blue"})
    with pytest.raises(NotAvailable, match="labels are red, green, blue, not sports, money, science"):
        fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", others)
    named = fit(recipe("ready-made", labels=["blue", "red", "green"]), toy_dataset(), tmp_path / "d", others)
    assert named.class_names == CLASS_NAMES


def test_weights_in_shards_are_one_model(tmp_path: Path) -> None:
    base = tiny_llama(tmp_path / "base")
    from transformers import AutoModelForCausalLM

    sharded = tmp_path / "sharded"
    AutoModelForCausalLM.from_pretrained(base.path).save_pretrained(sharded, max_shard_size="20KB")
    (sharded / "tokenizer.json").write_bytes((base.path / "tokenizer.json").read_bytes())
    assert len(list(sharded.glob("model-*.safetensors"))) > 1
    found = base_weights(str(sharded), None)
    data = toy_dataset()
    whole = fit(recipe("zero-shot"), data, tmp_path / "whole", base)
    parts = fit(recipe("zero-shot"), data, tmp_path / "parts", found)
    np.testing.assert_array_equal(logits_of(whole, data.test.texts[:4]), logits_of(parts, data.test.texts[:4]))
    assert found.sha256 != base.sha256
