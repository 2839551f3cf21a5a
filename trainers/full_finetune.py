"""Trains all weights of a transformer and a linear head, in a plain PyTorch loop."""

from __future__ import annotations

from pathlib import Path

from bench.types import Classifier, Dataset, Progress
from trainers.params import read_params
from trainers.shared.sequence import SequenceParams, fit_sequence
from trainers.trainer import RecipeTrainer


class FullFinetuneTrainer(RecipeTrainer):
    """Encoders and decoders alike; decoders are pooled at the last real token."""

    params_type = SequenceParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train on all of data.train and write the classifier folder."""
        params = read_params(self.recipe, SequenceParams)
        return fit_sequence(self, params, data, seed, out, progress)
