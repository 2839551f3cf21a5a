"""Full fine-tune: all weights of a transformer and a linear head."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.artifacts import save_classifier
from bench.errors import UsageError
from bench.types import BaseWeights, Classifier, Dataset, Progress, Recipe
from trainers.loop import LoopParams
from trainers.params import read_params


class FullFinetuneParams(LoopParams):
    """The loop's, and how many tokens of a text are read."""

    max_length: int = 256


class FullFinetuneTrainer:
    """Encoders and decoders alike; decoders are pooled at the last real token."""

    def __init__(self, recipe: Recipe, base: BaseWeights | None, device: str, threads: int, cache: Path) -> None:
        self.recipe = recipe
        self.base = base
        self.device = device

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train on all of data.train and write the classifier folder."""
        from trainers.loop import all_parameters, seed_everything, train_module
        from trainers.records import loop_record, make_manifest
        from trainers.sequence import load_for_training, save_sequence, tokenise_splits

        base = require_base(self.base, self.recipe)
        params = read_params(self.recipe, FullFinetuneParams)
        max_length = min(params.max_length, base.max_length)
        started = time.perf_counter()
        train, validation = tokenise_splits(base, data, max_length)
        tokenise_s = time.perf_counter() - started
        seed_everything(seed)
        module = load_for_training(base, len(data.class_names))
        outcome = train_module(module, train, validation, params, seed, self.device, progress)
        save_sequence(module.model, base, out)
        total = all_parameters(module)
        fit = loop_record(outcome, len(train), tokenise_s, trainable=total, total=total)
        settings: dict[str, Any] = {"before": base.prefix} if base.prefix else {}
        manifest = make_manifest("sequence", data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)


def require_base(base: BaseWeights | None, recipe: Recipe) -> BaseWeights:
    """The base model; raises UsageError when the recipe names none."""
    if base is None:
        raise UsageError(f"recipe '{recipe.id}' needs a base model; give it a role or a base_model")
    return base
