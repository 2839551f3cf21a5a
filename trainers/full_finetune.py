"""Full fine-tune: all weights of a transformer and a linear head."""

from __future__ import annotations

from pathlib import Path

from bench.errors import UsageError
from bench.types import BaseWeights, Classifier, Dataset, Progress, Recipe
from trainers.params import read_params
from trainers.sequence import SequenceParams, fit_sequence


class FullFinetuneTrainer:
    """Encoders and decoders alike; decoders are pooled at the last real token."""

    def __init__(self, recipe: Recipe, base: BaseWeights | None, device: str, threads: int, cache: Path) -> None:
        self.recipe = recipe
        self.base = base
        self.device = device

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train on all of data.train and write the classifier folder."""
        params = read_params(self.recipe, SequenceParams)
        base = require_base(self.base, self.recipe)
        return fit_sequence(self.recipe, base, params, data, seed, self.device, out, progress)


def require_base(base: BaseWeights | None, recipe: Recipe) -> BaseWeights:
    """The base model; raises UsageError when the recipe names none."""
    if base is None:
        raise UsageError(f"recipe '{recipe.id}' needs a base model; give it a role or a base_model")
    return base
