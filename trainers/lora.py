"""LoRA (Hu et al. 2021) on a transformer with a linear head; the adapter is merged when training ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.artifacts import save_classifier
from bench.errors import UsageError
from bench.types import BaseWeights, Classifier, Dataset, Progress, Recipe
from trainers.full_finetune import require_base
from trainers.loop import LoopParams
from trainers.params import read_params

if TYPE_CHECKING:
    from torch import nn

# The linear layers of attention by the names that architectures give them; the first group with a match is taken.
ATTENTION_LAYERS = (
    ("query", "key", "value"),
    ("query_proj", "key_proj", "value_proj"),
    ("q_proj", "k_proj", "v_proj"),
    ("q_lin", "k_lin", "v_lin"),
    ("Wqkv",),
    ("c_attn",),
)


class LoraParams(LoopParams):
    """The loop's, and the adapter's; `targets` are names of linear layers, the attention's by default."""

    r: int = 8
    alpha: int = 16
    dropout: float = 0.0
    targets: tuple[str, ...] | None = None
    max_length: int = 256


class LoraTrainer:
    """Trains the adapter and the head; what it writes is an ordinary classifier that every engine serves."""

    def __init__(self, recipe: Recipe, base: BaseWeights | None, device: str, threads: int, cache: Path) -> None:
        self.recipe = recipe
        self.base = base
        self.device = device

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train, merge and write the classifier folder."""
        from peft import LoraConfig, TaskType, get_peft_model

        from trainers.loop import all_parameters, seed_everything, train_module, trainable_parameters
        from trainers.records import loop_record, make_manifest
        from trainers.sequence import load_for_training, save_sequence, tokenise_splits

        base = require_base(self.base, self.recipe)
        params = read_params(self.recipe, LoraParams)
        max_length = min(params.max_length, base.max_length)
        started = time.perf_counter()
        train, validation = tokenise_splits(base, data, max_length)
        tokenise_s = time.perf_counter() - started
        seed_everything(seed)
        module = load_for_training(base, len(data.class_names))
        total = all_parameters(module)
        targets = find_targets(module.model, params.targets)
        config = LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=params.r,
            lora_alpha=params.alpha,
            lora_dropout=params.dropout,
            target_modules=list(targets),
        )
        adapted = get_peft_model(module.model, config)
        trainable = trainable_parameters(module)
        outcome = train_module(module, train, validation, params, seed, self.device, progress)
        save_sequence(adapted.merge_and_unload(), base, out)
        notes = (f"LoRA on {', '.join(targets)}, r {params.r}, alpha {params.alpha}; merged",)
        fit = loop_record(outcome, len(train), tokenise_s, trainable, total, notes)
        settings: dict[str, Any] = {"before": base.prefix} if base.prefix else {}
        manifest = make_manifest("sequence", data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)


def find_targets(model: nn.Module, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """Names of the layers to adapt; raises UsageError, with the names there are, when one does not exist."""
    from torch import nn as layers
    from transformers.pytorch_utils import Conv1D

    linear = {
        name.rsplit(".", 1)[-1] for name, layer in model.named_modules() if isinstance(layer, (layers.Linear, Conv1D))
    }
    candidates = [wanted] if wanted else list(ATTENTION_LAYERS)
    for group in candidates:
        if set(group) <= linear:
            return tuple(group)
    missing = ", ".join(wanted) if wanted else "known attention layers"
    raise UsageError(f"LoRA targets: the model has no {missing}; its linear layers: {', '.join(sorted(linear))}")
