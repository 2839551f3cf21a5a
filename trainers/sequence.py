"""A transformer with a linear head, trained: what full fine-tunes and adapters share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from bench.artifacts import link_or_copy, save_classifier
from bench.modules import SequenceModule, load_pretrained
from bench.tokens import TextTokenizer
from bench.types import BaseWeights, Classifier, Dataset, Progress, Recipe
from trainers.batches import TokenisedSplit, tokenise
from trainers.loop import LoopParams, all_parameters, seed_everything, train_module, trainable_parameters
from trainers.packed_bert import PackedBert, can_pack
from trainers.read_rows import read_rows_only
from trainers.records import loop_record, make_manifest


class SequenceParams(LoopParams):
    """The loop's, and how many tokens of a text are read."""

    max_length: int = 256


@dataclass(frozen=True)
class Adapter:
    """Adapters inside a model: `merge` gives the plain model back when training has ended, `note` is for the table."""

    merge: Callable[[], nn.Module]
    note: str


def fit_sequence(
    recipe: Recipe,
    base: BaseWeights,
    params: SequenceParams,
    data: Dataset,
    seed: int,
    device: str,
    out: Path,
    progress: Progress,
    adapt: Callable[[nn.Module], Adapter] | None = None,
) -> Classifier:
    """Train on all of data.train and write the classifier folder; `adapt` puts adapters into the model, in place."""
    max_length = min(params.max_length, base.max_length)
    started = time.perf_counter()
    train, validation = tokenise_splits(base, data, max_length)
    tokenise_s = time.perf_counter() - started
    seed_everything(seed)
    module = load_for_training(base, len(data.class_names), device)
    total = all_parameters(module)
    adapter = adapt(module.model) if adapt else None
    trainable = trainable_parameters(module)
    with read_rows_only(module, train, validation) as (train_rows, validation_rows):
        outcome = train_module(module, train_rows, validation_rows, params, seed, device, progress)
    save_sequence(adapter.merge() if adapter else module.model, base, out)
    fit = loop_record(outcome, len(train), tokenise_s, trainable, total, (adapter.note,) if adapter else ())
    settings: dict[str, Any] = {"before": base.prefix} if base.prefix else {}
    manifest = make_manifest("sequence", data, recipe, seed, fit, max_length, settings, base)
    return save_classifier(out, manifest)


def tokenise_splits(base: BaseWeights, data: Dataset, max_length: int) -> tuple[TokenisedSplit, TokenisedSplit]:
    """Train and validation as token ids of the base model's tokenizer."""
    tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", max_length, before=base.prefix)
    return tokenise(data.train, tokenizer), tokenise(data.validation, tokenizer)


def load_for_training(base: BaseWeights, class_count: int, device: str) -> SequenceModule:
    """The base model with a new head, float32; on a CPU in the form that trains fastest."""
    from transformers import AutoModelForSequenceClassification

    model = load_pretrained(AutoModelForSequenceClassification, base.path, num_labels=class_count)
    return PackedBert(model) if device == "cpu" and can_pack(model) else SequenceModule(model)


def save_sequence(model: Any, base: BaseWeights, out: Path) -> None:
    """config.json, model.safetensors and the base model's tokenizer.json."""
    model.save_pretrained(out)
    link_or_copy(base.path / "tokenizer.json", out / "tokenizer.json")
