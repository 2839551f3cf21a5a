"""Trains tiny models in a second and computes their logits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tiny_models import (
    no_progress,
    tiny_bert,
    tiny_chat,
    tiny_gpt2,
    tiny_llama,
    tiny_qwen3,
)

from bench import registry
from bench.classifiers.linear import load_linear
from bench.classifiers.modules import load_module
from bench.text.batching import pad
from bench.text.tokens import load_tokenizer
from bench.types import BaseWeights, Classifier, Dataset, Recipe, Workplace
from trainers.loop.batches import TokenisedSplit

FAST = {"learning_rate": 5e-3, "epochs": 15, "batch_size": 16, "max_length": 32}
NETWORKS = ("bag", "cnn", "lstm", "gru", "cnn+lstm", "attention-lstm", "capsule-lstm", "transformer")
SMALL_NETWORK = {"min_frequency": 1, "epochs": 12, "width": 32, "hidden": 16, "filters": 16, "learning_rate": 5e-3}
LONGER = FAST | {"epochs": 40, "learning_rate": 2e-2}
SFT = FAST | {"max_length": 48, "chat": True, "epochs": 20}


def recipe(method: str, **params: object) -> Recipe:
    return Recipe(id=method, title=method, method=method, params=params)


def fit(
    made: Recipe, data: Dataset, out: Path, base: BaseWeights | None = None, seed: int = 0, cache: Path | None = None
) -> Classifier:
    out.mkdir(parents=True, exist_ok=True)
    place = Workplace("cpu", 2, cache or out.parent / "cache")
    trainer = registry.find("trainer", made.method)(made, base, place)
    return trainer.fit(data, seed, out, no_progress)


def logits_of(classifier: Classifier, texts: tuple[str, ...]) -> np.ndarray:
    """Served as the engines serve it, one text at a time."""
    if classifier.kind == "linear":
        linear = load_linear(classifier)
        return linear.logits(linear.features(list(texts)))
    module, tokenizer = load_module(classifier), load_tokenizer(classifier)
    encoded = tokenizer.encode(texts)
    rows = []
    with torch.inference_mode():
        for row in range(len(texts)):
            ids, mask = pad(encoded.ids, np.array([row]), tokenizer.pad_id)
            rows.append(module(torch.from_numpy(ids), torch.from_numpy(mask))[0].numpy())
    return np.stack(rows)


def split_of(n: int) -> TokenisedSplit:
    ids = [[row % 7 + 1] * (row % 5 + 1) for row in range(n)]
    return TokenisedSplit(ids, np.array([len(row) for row in ids]), np.arange(n) % 2, pad_id=0)


TRAINED: dict[str, tuple[Recipe, Callable[[Path], BaseWeights] | None]] = {
    "tfidf": (recipe("tfidf"), None),
    **{name: (recipe("network", architecture=name, **SMALL_NETWORK), None) for name in NETWORKS},
    "full-finetune": (recipe("full-finetune", **FAST), tiny_bert),
    "full-finetune on a decoder": (recipe("full-finetune", **FAST), tiny_llama),
    "full-finetune, R-Drop": (recipe("full-finetune", **FAST, r_drop=1.0), tiny_bert),
    "full-finetune, contrast": (recipe("full-finetune", **FAST, contrastive=0.1), tiny_bert),
    "library-trainer": (recipe("library-trainer", **FAST), tiny_bert),
    "library-trainer with LoRA": (
        recipe(
            "library-trainer",
            **(FAST | {"epochs": 40, "r": 16, "alpha": 32}),
            weights="lora",
            targets=["query", "key", "value", "dense"],
        ),
        tiny_bert,
    ),
    "own-head": (recipe("own-head", **FAST), tiny_bert),
    "lora": (
        recipe("lora", **(FAST | {"epochs": 40, "r": 16, "alpha": 32, "targets": ["query", "key", "value", "dense"]})),
        tiny_bert,
    ),
    "lora on GPT-2": (recipe("lora", **(FAST | {"learning_rate": 2e-2, "epochs": 25})), tiny_gpt2),
    "lora beside the base": (recipe("lora", **LONGER, merge=False, r=16, alpha=32), tiny_llama),
    "adapter": (recipe("adapter", **LONGER, width=16), tiny_bert),
    "adapter on GPT-2": (recipe("adapter", **LONGER, width=16), tiny_gpt2),
    "prompt-tuning": (recipe("prompt-tuning", **LONGER, virtual_tokens=8), tiny_bert),
    "prompt-tuning on a decoder": (recipe("prompt-tuning", **LONGER, virtual_tokens=8), tiny_llama),
    "p-tuning": (recipe("p-tuning", **LONGER, virtual_tokens=8, encoder_hidden=16), tiny_bert),
    "prefix-tuning": (recipe("prefix-tuning", **LONGER, virtual_tokens=8), tiny_qwen3),
    "sft, letters": (recipe("sft", **SFT, answers="letters"), tiny_chat),
    "sft with LoRA": (recipe("sft", **(SFT | {"epochs": 60, "learning_rate": 2e-2}), weights="lora", r=16), tiny_chat),
}
