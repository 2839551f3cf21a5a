"""Trains a transformer with a linear head: what full fine-tunes and adapters share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from bench.classifiers.adapters import TRAINED, trained_weights
from bench.classifiers.folder import save_classifier
from bench.classifiers.pretrained import link_model, load_with_new_head
from bench.classifiers.sequence import SequenceModule
from bench.errors import UsageError
from bench.text.tokens import TextTokenizer
from bench.types import BaseWeights, Classifier, Dataset, Progress
from trainers.cpu.lean_decoder import train_lean
from trainers.cpu.read_rows import read_rows_only
from trainers.cpu.unpadded_bert import PackedBert, can_pack
from trainers.loop.batches import tokenise
from trainers.loop.loop import train_module
from trainers.loop.losses import make_objective
from trainers.loop.modules import all_parameters, seed_everything, trainable_parameters
from trainers.loop.records import LoopParams
from trainers.loop.teaching import ask_teacher
from trainers.shared.lengths import length_notes
from trainers.shared.records import loop_record, make_manifest
from trainers.trainer import RecipeTrainer


class SequenceParams(LoopParams):
    """The loop's; how many tokens of a text are read; whether test is scored beside validation, for the table only."""

    max_length: int = 256
    test_curve: bool = False
    gradient_checkpointing: bool = False


@dataclass(frozen=True)
class Adapted:
    """A model, with adapters built in where there are any.

    `settings` rebuild it beside the base model as it was (adapters.py); None where `merge` gives a plain model
    instead. `settle` is called when training has ended; `note` is for the table.
    """

    module: SequenceModule
    note: str | None = None
    settings: dict[str, Any] | None = None
    merge: Callable[[], nn.Module] | None = None
    settle: Callable[[], None] | None = None


Adapt = Callable[[Any], Adapted]


def fit_sequence(
    trainer: RecipeTrainer,
    params: SequenceParams,
    data: Dataset,
    seed: int,
    out: Path,
    progress: Progress,
    adapt: Adapt | None = None,
    virtual_tokens: int = 0,
) -> Classifier:
    """Train on all of data.train and write the classifier folder; `adapt` builds adapters into the model.

    Without `adapt` all weights move. With it the adapter does, and the layers that the base model has no weights for.
    """
    base, place = trainer.require_base(), trainer.place
    max_length = text_length(base, params.max_length, virtual_tokens)
    taught = ask_teacher(params, data, place, progress)
    progress("tokenising", 0, 1)
    started = time.perf_counter()
    tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", max_length, before=base.prefix)
    train, validation = tokenise(taught.train, tokenizer), tokenise(data.validation, tokenizer)
    train = replace(train, soft=taught.soft)
    test = tokenise(data.test, tokenizer) if params.test_curve else None
    tokenise_s = time.perf_counter() - started
    progress("loading the base model", 0, 1)
    seed_everything(seed)
    adapted, total = _prepare(base, params, len(data.class_names), adapt)
    if not params.gradient_checkpointing:
        adapted = replace(adapted, module=_in_less_time(adapted.module, place.device))
    module = adapted.module
    trainable = trainable_parameters(module)
    objective = make_objective(params, train.labels, len(data.class_names))
    with read_rows_only(module, train, validation, test) as (train_rows, validation_rows, test_rows):
        outcome = train_module(module, train_rows, validation_rows, params, seed, place, progress, objective, test_rows)
    progress("saving the classifier", 0, 1)
    saved_bytes = _save(adapted, base, out)
    settings: dict[str, Any] = {"before": base.prefix} if base.prefix else {}
    if adapted.settings:
        settings["adapter"] = adapted.settings
    notes = (*((adapted.note,) if adapted.note else ()), *taught.notes, *length_notes(trainer.recipe, base, max_length))
    fit = loop_record(outcome, len(train), tokenise_s, trainable, total, saved_bytes, notes, taught.teacher_s)
    manifest = make_manifest("sequence", data, trainer.recipe, seed, fit, max_length, settings, base)
    return save_classifier(out, manifest)


def _prepare(base: BaseWeights, params: SequenceParams, class_count: int, adapt: Adapt | None) -> tuple[Adapted, int]:
    """The base model with a head and its adapters, and the numbers in the weights without these."""
    model, fresh = load_for_classes(base, class_count)
    total = all_parameters(model)
    if params.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    if adapt is None:
        return Adapted(SequenceModule(model)), total
    adapted = adapt(model)
    for name, weight in model.named_parameters():
        if name in fresh:
            weight.requires_grad_(True)
    return adapted, total


def _save(adapted: Adapted, base: BaseWeights, out: Path) -> int:
    """Write what was trained, beside links to the base model's files; returns its bytes."""
    if adapted.settle:
        adapted.settle()
    if adapted.settings:
        _save_beside_base(adapted.module, base, out)
        return (out / TRAINED).stat().st_size
    saved_bytes = sum(weight.numel() * 4 for weight in adapted.module.parameters() if weight.requires_grad)
    plain: Any = adapted.merge() if adapted.merge else adapted.module.model
    plain.save_pretrained(out)
    link_model(base.path, out, ("tokenizer.json",))
    return saved_bytes


def _in_less_time(module: SequenceModule, device: str) -> SequenceModule:
    """The same function of the same weights, computed in less time where there is a way."""
    if type(module) is SequenceModule and device == "cpu" and can_pack(module.model):
        return PackedBert(module.model)
    if module.pools_last:
        train_lean(module, device)
    return module


def text_length(base: BaseWeights, wanted: int, virtual_tokens: int) -> int:
    """Tokens of a text that are read; raises UsageError when virtual tokens leave no room for any."""
    room = base.max_length - virtual_tokens
    if room < 8:
        raise UsageError(
            f"{virtual_tokens} virtual tokens leave no room for a text in the {base.max_length} tokens of {base.name}; "
            f"set at most {base.max_length - 8}"
        )
    return min(wanted, room)


def load_for_classes(base: BaseWeights, class_count: int) -> tuple[Any, set[str]]:
    """The base model with a new head, float32, and the names of the weights that are new and random."""
    from transformers import AutoModelForSequenceClassification

    return load_with_new_head(AutoModelForSequenceClassification, base.path, base.name, num_labels=class_count)


def _save_beside_base(module: SequenceModule, base: BaseWeights, out: Path) -> None:
    """The base model's files as they are, and what training moved."""
    link_model(base.path, out)
    save_file(trained_weights(module), out / TRAINED)
