"""Adapters of the user's own: merged into the base model that they name, or refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_folders import change
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny_models import (
    tiny_bert,
    tiny_llama,
    toy_dataset,
)
from tiny_trainings import fit, logits_of, recipe
from tokenizers import Tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
)

from bench.errors import AssetError, NotAvailable
from bench.models.base import base_weights

pytestmark = pytest.mark.usefixtures("own_cache")


def adapter(folder: Path, base: Path, task: str, settings: Any = None) -> Any:
    """A trained adapter as peft stores it, and the whole model that it makes."""
    torch.manual_seed(3)
    auto_class = {"SEQ_CLS": AutoModelForSequenceClassification, "CAUSAL_LM": AutoModelForCausalLM}[task]
    options = {"num_labels": 3} if task == "SEQ_CLS" else {}
    targets = ["query", "value"] if task == "SEQ_CLS" else ["q_proj", "v_proj"]
    model = get_peft_model(
        auto_class.from_pretrained(base, **options),
        settings or LoraConfig(task_type=task, r=2, target_modules=targets, init_lora_weights=False),
    )
    model.peft_config["default"].base_model_name_or_path = str(base)
    model.save_pretrained(folder)
    return model.eval()


def test_an_adapter_is_merged_into_the_base_that_it_names(tmp_path: Path) -> None:
    tiny_bert(tmp_path / "base")
    whole = adapter(tmp_path / "mine", tmp_path / "base", "SEQ_CLS")
    base = base_weights(str(tmp_path / "mine"), None)
    assert "an adapter (LORA) of" in base.origin
    assert "merged into it" in base.origin
    classifier = fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", base)
    ids = Tokenizer.from_file(str(base.path / "tokenizer.json")).encode("goal team word3").ids
    with torch.inference_mode():
        expected = whole(input_ids=torch.tensor([ids])).logits[0].numpy()
    np.testing.assert_allclose(logits_of(classifier, ("goal team word3",))[0], expected, rtol=1e-4, atol=1e-4)


def test_a_language_models_adapter_finds_its_base_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_llama(tmp_path / "base")
    adapter(tmp_path / "mine", tmp_path / "base", "CAUSAL_LM")
    change(tmp_path / "mine" / "adapter_config.json", base_model_name_or_path="base")
    monkeypatch.chdir(tmp_path)
    base = base_weights("./mine", None)
    assert base.origin.startswith("folder ./mine, an adapter (LORA) of base")
    assert fit(recipe("zero-shot"), toy_dataset(), tmp_path / "c", base).kind == "options"


def test_an_adapter_without_its_base_is_skipped_by_that_name(tmp_path: Path) -> None:
    tiny_bert(tmp_path / "base")
    adapter(tmp_path / "mine", tmp_path / "base", "SEQ_CLS")
    change(tmp_path / "mine" / "adapter_config.json", base_model_name_or_path="someone/base")
    with pytest.raises(
        NotAvailable, match=r"mine is an adapter \(LORA\) of someone/base, which cannot be had: .*offline"
    ):
        base_weights(str(tmp_path / "mine"), None)


def test_adapters_that_do_not_fit_or_cannot_be_merged_are_refused(tmp_path: Path) -> None:
    tiny_bert(tmp_path / "base")
    adapter(tmp_path / "other", tmp_path / "base", "SEQ_CLS")
    weights = load_file(tmp_path / "other" / "adapter_model.safetensors")
    renamed = {name.replace("layer.1", "layer.7"): values for name, values in weights.items()}
    save_file(renamed, tmp_path / "other" / "adapter_model.safetensors", {"format": "pt"})
    with pytest.raises(AssetError, match="other is an adapter that does not fit"):
        base_weights(str(tmp_path / "other"), None)
    adapter(tmp_path / "headless", tmp_path / "base", "SEQ_CLS")
    no_head = {name: values for name, values in weights.items() if "classifier.bias" not in name}
    save_file(no_head, tmp_path / "headless" / "adapter_model.safetensors", {"format": "pt"})
    with pytest.raises(AssetError, match=r"headless is an adapter without classifier\.bias"):
        base_weights(str(tmp_path / "headless"), None)
    tiny_llama(tmp_path / "llama")
    prompt = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    adapter(tmp_path / "prompt", tmp_path / "llama", "CAUSAL_LM", prompt)
    with pytest.raises(NotAvailable, match=r"\(PROMPT_TUNING\) that cannot be merged"):
        base_weights(str(tmp_path / "prompt"), None)
    shutil.move(tmp_path / "other" / "adapter_model.safetensors", tmp_path / "other" / "adapter_model.bin")
    with pytest.raises(AssetError, match=r"without adapter_model\.safetensors; nothing is unpickled"):
        base_weights(str(tmp_path / "other"), None)


def test_a_whole_model_with_an_adapter_beside_it_is_a_question(tmp_path: Path) -> None:
    tiny_bert(tmp_path / "base")
    adapter(tmp_path / "mine", tmp_path / "base", "SEQ_CLS")
    shutil.copy(tmp_path / "base" / "model.safetensors", tmp_path / "mine")
    with pytest.raises(AssetError, match=r"mine holds a whole model and an adapter \(adapter_model.safetensors\)"):
        base_weights(str(tmp_path / "mine"), None)
