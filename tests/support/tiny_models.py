"""Tiny random models with real file formats, and a toy task that a working trainer must learn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    RobertaConfig,
    RobertaModel,
)

from bench.files.cache import file_sha256
from bench.types import BaseWeights, Dataset, Prompt, Source, Split, SplitSizes

TOPICS = (
    ("goal", "match", "team", "league", "coach"),
    ("stock", "bank", "market", "profit", "trade"),
    ("chip", "software", "robot", "phone", "laser"),
)
CLASS_NAMES = ("sports", "money", "science")
FILLERS = tuple(f"word{number}" for number in range(30))
LABEL_WORDS = (" sports", " money", " science")
WORDS = (*(word for topic in TOPICS for word in topic), *FILLERS, *CLASS_NAMES, "topic", ":", "about", *"ABC", ".", "?")


def no_progress(what: str, done: int, total: int) -> None:
    """A progress callback for tests that do not look at it."""


def toy_dataset(train: int = 96, validation: int = 24, test: int = 24, seed: int = 0) -> Dataset:
    """Texts of 3 to 20 words, one to three of them of the class's topic."""
    generator = np.random.default_rng(seed)
    sizes = SplitSizes(train=train, validation=validation, test=test)
    return Dataset(
        name="toy",
        title="Toy topics",
        language="en",
        class_names=CLASS_NAMES,
        train=_toy_split(generator, train, 0),
        validation=_toy_split(generator, validation, train),
        test=_toy_split(generator, test, train + validation),
        full_sizes=sizes,
        source=Source(kind="sample", name="toy"),
        prompt=Prompt(template="topic about {text} :", label_words=LABEL_WORDS),
    )


def _toy_split(generator: np.random.Generator, size: int, first_id: int) -> Split:
    labels = np.arange(size) % len(TOPICS)
    texts = tuple(_toy_text(generator, TOPICS[label]) for label in labels)
    return Split(texts, labels.astype(np.int64), np.arange(first_id, first_id + size))


def _toy_text(generator: np.random.Generator, topic: tuple[str, ...]) -> str:
    words = [*generator.choice(FILLERS, generator.integers(2, 18)), *generator.choice(topic, generator.integers(1, 4))]
    return " ".join(generator.permutation(words))


def save_tokenizer(folder: Path, special: bool = True) -> None:
    """A word-level tokenizer.json; `special` puts [CLS] and [SEP] around a text."""
    vocabulary = {token: row for row, token in enumerate(("[PAD]", "[UNK]", "[CLS]", "[SEP]", *dict.fromkeys(WORDS)))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 - a token, no password
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    if special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
    tokenizer.save(str(folder / "tokenizer.json"))


TINY = {
    "vocab_size": 80,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
}


def tiny_bert(folder: Path) -> BaseWeights:
    """A BERT encoder of width 32 with random weights."""
    torch.manual_seed(0)
    return _save(BertModel(BertConfig(**TINY, pad_token_id=0)), folder, special=True, pooling="mean")


def tiny_llama(folder: Path) -> BaseWeights:
    """A Llama language model of width 32; its padding id is not set, as in many real ones."""
    torch.manual_seed(0)
    config = LlamaConfig(**TINY, num_key_value_heads=2, pad_token_id=None)
    return _save(LlamaForCausalLM(config), folder, special=False, pooling="last")


def tiny_chat(folder: Path) -> BaseWeights:
    """The same with a chat template, as an instructed model has one; [SEP] ends what it says."""
    base = tiny_llama(folder)
    template = "{% for message in messages %}[CLS] {{ message.content }} [SEP] {% endfor %}"
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "[SEP]",
        "pad_token": "[PAD]",
        "chat_template": template + "{% if add_generation_prompt %}about : {% endif %}",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return base


def tiny_qwen3(folder: Path) -> BaseWeights:
    """A Qwen3 language model of width 32: normalised queries and keys, heads of their own width."""
    torch.manual_seed(0)
    config = Qwen3Config(**TINY, num_key_value_heads=2, head_dim=16, pad_token_id=None)
    return _save(Qwen3ForCausalLM(config), folder, special=False, pooling="last")


def tiny_distilbert(folder: Path) -> BaseWeights:
    """A DistilBERT encoder of width 32."""
    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=80, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64, initializer_range=0.2
    )
    return _save(DistilBertModel(config), folder, special=True, pooling="cls")


def tiny_roberta(folder: Path) -> BaseWeights:
    """A RoBERTa encoder of width 32: positions count from the padding id."""
    torch.manual_seed(0)
    config = RobertaConfig(**(TINY | {"max_position_embeddings": 66}), pad_token_id=0)
    return _save(RobertaModel(config), folder, special=True, pooling="cls")


def tiny_deberta(folder: Path) -> BaseWeights:
    """A DeBERTa-v2 encoder of width 32: disentangled attention over relative positions."""
    torch.manual_seed(0)
    config = DebertaV2Config(**TINY, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=16)
    return _save(DebertaV2Model(config), folder, special=True, pooling="cls")


def tiny_modernbert(folder: Path) -> BaseWeights:
    """A ModernBERT encoder of width 32: rotary positions, local and global attention."""
    torch.manual_seed(0)
    config = ModernBertConfig(
        **TINY, pad_token_id=0, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3, local_attention=8
    )
    return _save(ModernBertModel(config), folder, special=True, pooling="cls")


def tiny_gpt2(folder: Path) -> BaseWeights:
    """A GPT-2 language model of width 32: learnt positions, Conv1D layers."""
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=80, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=2, eos_token_id=3)
    config.initializer_range = 0.2
    return _save(GPT2LMHeadModel(config), folder, special=False, pooling="last")


def _save(model: PreTrainedModel, folder: Path, special: bool, pooling: str) -> BaseWeights:
    model.save_pretrained(folder)
    save_tokenizer(folder, special)
    return BaseWeights(
        name=f"tiny-{model.config.model_type}",
        path=folder,
        sha256=file_sha256(folder / "model.safetensors"),
        origin="made by the test",
        pooling=pooling,  # type: ignore[arg-type]
        max_length=48,
    )
