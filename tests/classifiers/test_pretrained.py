"""Weights that do not fit their model are refused with their names; a new head stands only where one is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import (
    TINY,
    save_tokenizer,
    tiny_bert,
    tiny_deberta,
    tiny_distilbert,
    tiny_llama,
    tiny_modernbert,
    toy_dataset,
)
from tiny_trainings import FAST, fit, recipe
from torch import Tensor
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    LlamaForSequenceClassification,
    MambaConfig,
    MambaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from bench.classifiers.pretrained import load_finished, load_pretrained, load_with_new_head
from bench.errors import AssetError, NotAvailable
from bench.types import BaseWeights

Weights = dict[str, Tensor]


def change_weights(folder: Path, new: Callable[[Weights], Weights]) -> None:
    file = folder / "model.safetensors"
    save_file({name: values.clone() for name, values in new(load_file(file)).items()}, file, {"format": "pt"})


def finished(folder: Path, labels: int = 3) -> BaseWeights:
    torch.manual_seed(0)
    BertForSequenceClassification(BertConfig(**TINY, pad_token_id=0, num_labels=labels)).save_pretrained(folder)
    save_tokenizer(folder)
    return BaseWeights("./mine", folder, "none", "made by the test", max_length=48)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.encoder."])
@pytest.mark.parametrize("auto_class", [AutoModel, AutoModelForSequenceClassification])
def test_names_that_all_begin_with_something_else_are_refused(prefix: str, auto_class: type, tmp_path: Path) -> None:
    base = finished(tmp_path)
    change_weights(tmp_path, lambda weights: {prefix + name: values for name, values in weights.items()})
    for load in (load_pretrained, load_with_new_head):
        with pytest.raises(
            AssetError, match=r"\./mine: the weights do not fit Bert.* every name begins with"
        ) as caught:
            load(auto_class, base.path, base.name)
        assert "and" in str(caught.value)
        assert "more" in str(caught.value)


@pytest.mark.parametrize(
    "method", ["frozen-head", "full-finetune", "own-head", "lora", "library-trainer", "ready-made"]
)
def test_no_method_trains_on_a_random_base(method: str, tmp_path: Path) -> None:
    base = finished(tmp_path / "base")
    change_weights(base.path, lambda weights: {f"module.{name}": values for name, values in weights.items()})
    with pytest.raises(AssetError, match="the weights do not fit"):
        fit(recipe(method), toy_dataset(), tmp_path / "c", base)


def test_a_checkpoint_without_a_head_is_no_ready_made_classifier(tmp_path: Path) -> None:
    base = finished(tmp_path / "base")
    change_weights(base.path, lambda weights: {name: w for name, w in weights.items() if "classifier" not in name})
    with pytest.raises(
        AssetError, match=r"\./mine has no trained head: classifier\.bias, classifier\.weight are missing"
    ):
        fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", base)
    assert fit(recipe("full-finetune", **FAST | {"epochs": 1}), toy_dataset(), tmp_path / "d", base).kind == "sequence"


def test_half_a_head_is_none(tmp_path: Path) -> None:
    base = finished(tmp_path)
    change_weights(tmp_path, lambda weights: {name: w for name, w in weights.items() if name != "classifier.bias"})
    with pytest.raises(AssetError, match=r"no trained head: classifier\.bias is missing"):
        load_pretrained(AutoModelForSequenceClassification, base.path, base.name)


def test_layers_that_the_config_does_not_describe_are_refused(tmp_path: Path) -> None:
    """config.json of a smaller model: half of the layers would be left out in silence."""
    finished(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 1}))
    for auto_class in (AutoModel, AutoModelForSequenceClassification):
        with pytest.raises(AssetError, match=r"a model without bert\.encoder\.layer\.1.* and 12 more"):
            load_pretrained(auto_class, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(AssetError, match=r"missing encoder\.layer\.2.* and 12 more"):
        load_pretrained(AutoModel, tmp_path)


def test_weights_of_another_shape_are_named(tmp_path: Path) -> None:
    finished(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"intermediate_size": 32}))
    with pytest.raises(AssetError, match=r"encoder\.layer\.0\.intermediate\.dense\.bias \(64,\) for \(32,\)"):
        load_pretrained(AutoModel, tmp_path)


def test_heads_of_other_tasks_and_old_buffers_are_no_obstacle(tmp_path: Path) -> None:
    torch.manual_seed(0)
    BertForMaskedLM(BertConfig(**TINY)).save_pretrained(tmp_path)
    change_weights(tmp_path, lambda weights: weights | {"bert.embeddings.position_ids": torch.arange(64).unsqueeze(0)})
    assert load_pretrained(AutoModel, tmp_path).config.model_type == "bert"
    _, fresh = load_with_new_head(AutoModelForSequenceClassification, tmp_path, num_labels=3)
    assert fresh == {"classifier.weight", "classifier.bias", "bert.pooler.dense.weight", "bert.pooler.dense.bias"}


def test_what_a_finished_model_does_not_use_is_told(tmp_path: Path) -> None:
    base = finished(tmp_path / "base")
    change_weights(base.path, lambda weights: weights | {"cls.predictions.bias": torch.zeros(80)})
    _, unused = load_finished(AutoModelForSequenceClassification, base.path)
    assert unused == ("cls.predictions.bias",)
    notes = fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", base).manifest.fit.notes
    assert "weights of another head are not used: cls.predictions.bias" in notes


@pytest.mark.parametrize("labels", [3, 5])
def test_a_new_head_is_new_even_where_the_checkpoint_has_one(labels: int, tmp_path: Path) -> None:
    base = finished(tmp_path, labels)
    torch.manual_seed(1)
    model, fresh = load_with_new_head(AutoModelForSequenceClassification, base.path, num_labels=3)
    assert fresh == {"classifier.weight", "classifier.bias"}
    assert model.classifier.weight.shape == (3, 32)
    if labels == 3:
        assert not torch.equal(model.classifier.weight, load_file(tmp_path / "model.safetensors")["classifier.weight"])
    torch.manual_seed(1)
    again, _ = load_with_new_head(AutoModelForSequenceClassification, base.path, num_labels=3)
    assert torch.equal(model.classifier.weight, again.classifier.weight)


def test_lora_trains_the_head_of_a_checkpoint_that_has_one(tmp_path: Path) -> None:
    base = finished(tmp_path / "base")
    made = fit(recipe("lora", **FAST | {"epochs": 1, "merge": False}), toy_dataset(), tmp_path / "c", base)
    trained = load_file(made.path / "trained.safetensors")
    assert {"model.classifier.weight", "model.classifier.bias"} <= trained.keys()


@pytest.mark.parametrize("make", [tiny_bert, tiny_distilbert, tiny_deberta, tiny_modernbert, tiny_llama])
def test_plain_bases_of_every_family_load(make: Callable[[Path], BaseWeights], tmp_path: Path) -> None:
    base = make(tmp_path)
    assert load_pretrained(AutoModel, base.path, base.name)
    _, fresh = load_with_new_head(AutoModelForSequenceClassification, base.path, base.name, num_labels=3)
    assert fresh


def test_a_language_model_without_its_output_layer_is_refused(tmp_path: Path) -> None:
    tiny_llama(tmp_path)
    LlamaForSequenceClassification.from_pretrained(tmp_path).save_pretrained(tmp_path)
    with pytest.raises(AssetError, match=r"has no trained head: lm_head\.weight is missing"):
        load_pretrained(AutoModelForCausalLM, tmp_path)


def test_an_encoder_is_no_language_model(tmp_path: Path) -> None:
    BertForMaskedLM(BertConfig(**TINY)).save_pretrained(tmp_path)
    with pytest.raises(NotAvailable, match="reads both ways and writes nothing"):
        load_pretrained(AutoModelForCausalLM, tmp_path, "./mine")


def test_no_vectors_are_made_of_an_encoder_with_a_decoder(tmp_path: Path) -> None:
    config = T5Config(vocab_size=80, d_model=32, d_ff=64, d_kv=8, num_layers=1, num_heads=4, decoder_start_token_id=0)
    T5ForConditionalGeneration(config).save_pretrained(tmp_path)
    with pytest.raises(NotAvailable, match="t5 is an encoder with a decoder; no vectors are made of it"):
        load_pretrained(AutoModel, tmp_path)


def test_a_model_that_transformers_has_no_head_for_is_said(tmp_path: Path) -> None:
    MambaForCausalLM(MambaConfig(vocab_size=80, hidden_size=32, num_hidden_layers=1)).save_pretrained(tmp_path)
    with pytest.raises(NotAvailable, match=r"\./mine: transformers has no SequenceClassification for this model"):
        load_with_new_head(AutoModelForSequenceClassification, tmp_path, "./mine", num_labels=3)
