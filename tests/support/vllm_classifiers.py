"""Tiny classifiers with heads wide enough for vLLM's CPU attention, which starts at 32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from byte_tokenizers import END, byte_tokenizer
from safetensors.torch import save_file
from tiny_classifiers import finish
from tiny_models import TINY, save_tokenizer
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3ForSequenceClassification,
    RobertaConfig,
    RobertaModel,
)

from bench.classifiers.adapters import TRAINED, add_adapter, trained_weights
from bench.classifiers.pretrained import load_with_new_head
from bench.types import Classifier

WIDE: dict[str, Any] = TINY | {"hidden_size": 128, "max_position_embeddings": 128}
WORDS: tuple[list[int], ...] = ([20], [21, 22], [21, 23, 24])
ROUND = {"before": "topic about ", "after": " topic :"}


def _save(model: PreTrainedModel, folder: Path, special: bool) -> None:
    model.save_pretrained(folder)
    save_tokenizer(folder, special)


def bert(folder: Path) -> Classifier:
    torch.manual_seed(0)
    _save(BertForSequenceClassification(BertConfig(**WIDE, pad_token_id=0, num_labels=3)), folder, special=True)
    return finish(folder, "sequence")


def qwen3(folder: Path) -> Classifier:
    torch.manual_seed(0)
    config = Qwen3Config(**WIDE, num_key_value_heads=2, head_dim=32, pad_token_id=0, num_labels=3)
    _save(Qwen3ForSequenceClassification(config), folder, special=False)
    return finish(folder, "sequence")


def distilbert(folder: Path) -> Classifier:
    """vLLM has no DistilBERT."""
    config = DistilBertConfig(vocab_size=80, dim=64, n_layers=1, n_heads=2, hidden_dim=64, num_labels=3)
    _save(DistilBertForSequenceClassification(config), folder, special=True)
    return finish(folder, "sequence")


def _llama(folder: Path) -> None:
    torch.manual_seed(0)
    _save(LlamaForCausalLM(LlamaConfig(**WIDE, num_key_value_heads=2, pad_token_id=None)), folder, special=False)


def options(folder: Path, normalisation: str = "sum", words: tuple[list[int], ...] = WORDS) -> Classifier:
    _llama(folder)
    taken = {"content_free": [-1.5, -4.0, -9.0]} if normalisation in ("calibrated", "pmi") else {}
    return finish(folder, "options", label_token_ids=list(words), normalisation=normalisation, **ROUND, **taken)


def generate(folder: Path, think_tokens: int = 0) -> Classifier:
    """Its answers are single frequent words, so that some texts get one and some get none."""
    torch.manual_seed(0)
    config = Qwen3Config(**WIDE, num_key_value_heads=2, head_dim=32, pad_token_id=None, eos_token_id=3)
    _save(Qwen3ForCausalLM(config), folder, special=False)
    return finish(
        folder,
        "generate",
        answers=["sports", "money", "science"],
        answer_kind="words",
        max_new_tokens=6,
        think_tokens=think_tokens,
        **ROUND,
    )


def constrained(folder: Path) -> Classifier:
    """May write its classes' names alone, of which one begins another; its tokenizer spells any text."""
    torch.manual_seed(0)
    tokenizer = byte_tokenizer("Ġsports", "Ġmo", "topic")
    size = tokenizer.get_vocab_size()
    config = Qwen3Config(
        **(WIDE | {"vocab_size": size}), num_key_value_heads=2, head_dim=32, pad_token_id=None, eos_token_id=END
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)
    special = {"eos_token": tokenizer.id_to_token(END)}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    names = ("sports", "money", "money market")
    return finish(
        folder,
        "generate",
        answers=list(names),
        answer_kind="words",
        max_new_tokens=6,
        think_tokens=0,
        permitted=[f" {name}" for name in names],
        **ROUND,
    )


def lora_qwen3(folder: Path) -> Classifier:
    torch.manual_seed(0)
    config = Qwen3Config(**WIDE, num_key_value_heads=2, head_dim=32, pad_token_id=0)
    _save(Qwen3ForCausalLM(config), folder, special=False)
    return _beside_base(folder, {"kind": "lora", "r": 4, "alpha": 8, "dropout": 0.0, "targets": ["q_proj", "v_proj"]})


def lora_roberta(folder: Path) -> Classifier:
    """Position ids count from the padding id; the head has two layers."""
    torch.manual_seed(0)
    _save(RobertaModel(RobertaConfig(**WIDE, pad_token_id=0)), folder, special=True)
    return _beside_base(folder, {"kind": "lora", "r": 4, "alpha": 8, "dropout": 0.0, "targets": ["query", "value"]})


def lora_bert(folder: Path) -> Classifier:
    torch.manual_seed(0)
    _save(BertModel(BertConfig(**WIDE, pad_token_id=0)), folder, special=True)
    return _beside_base(folder, {"kind": "lora", "r": 4, "alpha": 8, "dropout": 0.0, "targets": ["query", "value"]})


def prefix_qwen3(folder: Path) -> Classifier:
    torch.manual_seed(0)
    config = Qwen3Config(**WIDE, num_key_value_heads=2, head_dim=32, pad_token_id=0)
    _save(Qwen3ForCausalLM(config), folder, special=False)
    return _beside_base(folder, {"kind": "prefix", "count": 4})


def _beside_base(folder: Path, settings: dict[str, Any]) -> Classifier:
    """An adapter and a head of random weights; LoRA's second factor would be zero before any training."""
    model = load_with_new_head(AutoModelForSequenceClassification, folder, num_labels=3)[0]
    module = add_adapter(model, settings)
    for name, weight in module.named_parameters():
        if "score" in name or "classifier" in name or "pooler" in name:
            weight.requires_grad_(True)
        if weight.requires_grad:
            torch.nn.init.normal_(weight, std=0.3)
    save_file(trained_weights(module), folder / TRAINED)
    return finish(folder, "sequence", adapter=settings)
