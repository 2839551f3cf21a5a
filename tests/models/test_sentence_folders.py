"""Folders of sentence-transformers: pooled as they say, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_folders import POINTER, change
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from tiny_models import (
    tiny_bert,
    tiny_gpt2,
    toy_dataset,
)
from tiny_trainings import fit, logits_of, recipe
from tokenizers import Tokenizer
from transformers import (
    AutoModelForSequenceClassification,
    BertModel,
)

from bench.errors import AssetError, NotAvailable
from bench.models.base import base_weights
from bench.text.tokens import TextTokenizer

pytestmark = pytest.mark.usefixtures("own_cache")


def sentence_folder(folder: Path, modules: tuple[str, ...] = ("Transformer", "Pooling", "Normalize")) -> Path:
    tiny_bert(folder)
    entries = [
        {
            "idx": at,
            "name": str(at),
            "path": "" if at == 0 else f"{at}_{kind}",
            "type": f"sentence_transformers.models.{kind}",
        }
        for at, kind in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(entries))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 32, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling | {"pooling_mode_max_tokens": False}))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 24, "do_lower_case": false}')
    return folder


def test_a_sentence_transformers_folder_is_taken_as_it_says(tmp_path: Path) -> None:
    base = base_weights(str(sentence_folder(tmp_path / "mine")), None)
    assert (base.pooling, base.normalise, base.max_length, base.prefix) == ("mean", True, 24, "")
    assert base.origin.endswith("mine: mean pooling, normalised; at most 24 tokens (max_seq_length)")
    classifier = fit(recipe("frozen-head"), toy_dataset(), tmp_path / "c", base)
    assert classifier.manifest.settings == {"pooling": "mean", "normalise": True, "before": ""}
    assert classifier.manifest.max_length == 24
    assert "mean pooling, normalised; at most 24 tokens" in classifier.manifest.fit.notes[0]


def test_the_vectors_are_those_of_the_transformer_pooled_by_hand(tmp_path: Path) -> None:
    folder = sentence_folder(tmp_path / "mine", ("Transformer", "Pooling"))
    (folder / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": {"query": "topic about ", "document": ""}, "default_prompt_name": "query"})
    )
    base, data = base_weights(str(folder), None), toy_dataset()
    assert (base.normalise, base.prefix) == (False, "topic about ")
    classifier = fit(recipe("frozen-head"), data, tmp_path / "c", base)
    head = load_file(classifier.path / "head.safetensors")
    model = BertModel.from_pretrained(folder).eval()
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("topic about goal team").ids
    with torch.inference_mode():
        vector = model(torch.tensor([ids])).last_hidden_state[0].mean(dim=0)
        expected = head["0.weight"] @ vector + head["0.bias"]
    np.testing.assert_allclose(logits_of(classifier, ("goal team",))[0], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False}, "last"),
        ({"pooling_mode": "cls", "pooling_mode_mean_tokens": None}, "cls"),
        ({"pooling_mode": "mean"}, "mean"),
    ],
)
def test_every_way_to_name_a_pooling_is_read(pooling: dict[str, Any], expected: str, tmp_path: Path) -> None:
    folder = sentence_folder(tmp_path / "mine")
    change(folder / "1_Pooling" / "config.json", **pooling)
    assert base_weights(str(folder), None).pooling == expected


@pytest.mark.parametrize(
    ("modules", "pooling", "reason"),
    [
        (("Transformer", "Pooling", "Dense"), {}, r"its vectors pass a Dense module \(2_Dense\)"),
        (("Transformer", "Pooling"), {"pooling_mode_max_tokens": True}, r"pooling \(mean_tokens \+ max_tokens\)"),
        (("Transformer", "Pooling"), {"include_prompt": False}, "leaves the prompt out"),
        (("Transformer",), {}, "has no Pooling module"),
    ],
)
def test_vectors_that_are_not_served_are_refused_where_they_are_needed(
    modules: tuple[str, ...], pooling: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    folder = sentence_folder(tmp_path / "mine", modules)
    change(folder / "1_Pooling" / "config.json", **pooling)
    base = base_weights(str(folder), None)
    for method in ("frozen-head", "own-head"):
        with pytest.raises(NotAvailable, match=reason):
            fit(recipe(method), toy_dataset(), tmp_path / method, base)


def test_the_transformer_may_stand_in_a_folder_of_its_own_and_read_lower_case(tmp_path: Path) -> None:
    folder = sentence_folder(tmp_path / "mine")
    inner = folder / "0_Transformer"
    inner.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "sentence_bert_config.json"):
        (folder / name).rename(inner / name)
    entries = json.loads((folder / "modules.json").read_text())
    entries[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(entries))
    change(inner / "sentence_bert_config.json", do_lower_case=True)
    base = base_weights(str(folder), None)
    assert "in lower case" in base.origin
    tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", 24)
    assert tokenizer.encode(["GOAL Team"]).ids == tokenizer.encode(["goal team"]).ids
    assert "Lowercase" not in (inner / "tokenizer.json").read_text()


def test_a_prompt_that_is_no_default_is_named_and_one_for_classification_taken(tmp_path: Path) -> None:
    folder = sentence_folder(tmp_path / "mine")
    prompts = folder / "config_sentence_transformers.json"
    prompts.write_text(json.dumps({"prompts": {"query": "topic ", "passage": "about "}, "default_prompt_name": None}))
    base = base_weights(str(folder), None)
    assert base.prefix == ""
    assert "no prompt, as none of query, passage is its default" in base.origin
    change(prompts, prompts={"query": "topic ", "Classification": "about "})
    base = base_weights(str(folder), None)
    assert (base.prefix, "prompt 'Classification'" in base.origin) == ("about ", True)


@pytest.mark.parametrize("content", ['{"0": {"type": "x.Transformer"}}', "[1]", '[{"path": ""}]'])
def test_modules_of_another_shape_are_refused(content: str, tmp_path: Path) -> None:
    folder = sentence_folder(tmp_path / "mine")
    (folder / "modules.json").write_text(content)
    with pytest.raises(AssetError, match=r"mine/modules\.json is no list of modules with a type each"):
        base_weights(str(folder), None)


def test_a_config_of_a_module_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = sentence_folder(tmp_path / "mine")
    pooling = folder / "1_Pooling" / "config.json"
    for content, message in ((POINTER, "is a git-lfs pointer"), (b"[]", "is no table"), (None, "No such file")):
        pooling.unlink() if content is None else pooling.write_bytes(content)
        with pytest.raises(AssetError, match=rf"mine/1_Pooling/config\.json .*{message}"):
            base_weights(str(folder), None)


def test_an_adapter_makes_vectors_as_its_own_folder_says_else_as_its_base(tmp_path: Path) -> None:
    """sentence-transformers stores a trained adapter beside modules.json; peft stores it alone."""
    base = sentence_folder(tmp_path / "base")
    adapted = get_peft_model(BertModel.from_pretrained(base), LoraConfig(r=2, target_modules=["query"]))
    adapted.peft_config["default"].base_model_name_or_path = str(base)
    adapted.save_pretrained(tmp_path / "alone")
    found = base_weights(str(tmp_path / "alone"), None)
    assert (found.pooling, found.normalise, found.max_length) == ("mean", True, 24)
    assert "mean pooling, normalised; as its base" in found.origin
    whole = sentence_folder(tmp_path / "whole", ("Transformer", "Pooling"))
    (whole / "model.safetensors").unlink()
    adapted.save_pretrained(whole)
    change(whole / "sentence_bert_config.json", max_seq_length=16)
    found = base_weights(str(whole), None)
    assert (found.pooling, found.normalise, found.max_length) == ("mean", False, 16)


def test_a_plain_folder_says_how_it_is_pooled(tmp_path: Path) -> None:
    tiny_bert(tmp_path / "bert")
    tiny_gpt2(tmp_path / "gpt2")
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "gpt2", num_labels=3).save_pretrained(
        tmp_path / "gpt2"
    )
    assert "cls pooling, as there is no modules.json" in base_weights(str(tmp_path / "bert"), None).origin
    assert base_weights(str(tmp_path / "gpt2"), None).pooling == "last"
