"""A transformer with a classification head, before and after training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.artifacts import link_or_copy
from bench.modules import SequenceModule, load_pretrained
from bench.tokens import TextTokenizer
from bench.types import BaseWeights, Dataset
from trainers.batches import TokenisedSplit, tokenise


def tokenise_splits(base: BaseWeights, data: Dataset, max_length: int) -> tuple[TokenisedSplit, TokenisedSplit]:
    """Train and validation as token ids of the base model's tokenizer."""
    tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", max_length, before=base.prefix)
    return tokenise(data.train, tokenizer), tokenise(data.validation, tokenizer)


def load_for_training(base: BaseWeights, class_count: int) -> SequenceModule:
    """The base model with a new head, float32."""
    from transformers import AutoModelForSequenceClassification

    model = load_pretrained(AutoModelForSequenceClassification, base.path, num_labels=class_count)
    return SequenceModule(model)


def save_sequence(model: Any, base: BaseWeights, out: Path) -> None:
    """config.json, model.safetensors and the base model's tokenizer.json."""
    model.save_pretrained(out)
    link_or_copy(base.path / "tokenizer.json", out / "tokenizer.json")
