"""Trains parts that stay beside the base model: bottleneck adapters, virtual tokens, prefixes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import nn

from bench.classifiers.adapters import VirtualTokens, add_adapter
from bench.types import Classifier, Dataset, Progress
from trainers.params import read_params
from trainers.shared.sequence import Adapted, SequenceParams, fit_sequence
from trainers.trainer import RecipeTrainer


class BottleneckParams(SequenceParams):
    """A fine-tune's, and how narrow the adapters are."""

    width: int = Field(default=64, ge=1)


class BottleneckTrainer(RecipeTrainer):
    """A bottleneck adapter after every block (Houlsby et al. 2019); base frozen."""

    params_type = BottleneckParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train adapters and head, write the classifier folder."""
        params = read_params(self.recipe, BottleneckParams)
        settings = {"kind": "bottleneck", "width": params.width}

        def adapt(model: Any) -> Adapted:
            return Adapted(
                add_adapter(model, settings), f"adapters of width {params.width} after every block", settings
            )

        return fit_sequence(self, params, data, seed, out, progress, adapt)


class PromptTuningParams(SequenceParams):
    """A fine-tune's, and how many vectors are learnt."""

    virtual_tokens: int = Field(default=20, ge=1)


class PromptTuningTrainer(RecipeTrainer):
    """Learnt vectors among the input's (Lester et al. 2021), started from rows of the vocabulary; base frozen."""

    params_type = PromptTuningParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train vectors and head, write the classifier folder."""
        params = read_params(self.recipe, PromptTuningParams)
        settings = {"kind": "virtual-tokens", "count": params.virtual_tokens}

        def adapt(model: Any) -> Adapted:
            note = f"{params.virtual_tokens} virtual tokens"
            return Adapted(add_adapter(model, settings), note, settings)

        return fit_sequence(self, params, data, seed, out, progress, adapt, params.virtual_tokens)


class PTuningParams(PromptTuningParams):
    """Prompt tuning's, and the width of the encoder that makes the vectors."""

    encoder_hidden: int = Field(default=128, ge=1)


class PTuningTrainer(RecipeTrainer):
    """Virtual tokens made by a small network while training (p-tuning, Liu et al. 2021); what it makes is kept."""

    params_type = PTuningParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train vectors, their encoder and the head, write the classifier folder."""
        params = read_params(self.recipe, PTuningParams)
        settings = {"kind": "virtual-tokens", "count": params.virtual_tokens}

        def adapt(model: Any) -> Adapted:
            module = add_adapter(model, settings)
            assert isinstance(module, VirtualTokens)  # noqa: S101 - what the settings ask for
            module.encoder = _Reparametrised(module.vectors.shape[1], params.encoder_hidden)
            note = f"{params.virtual_tokens} virtual tokens from an encoder of width {params.encoder_hidden}"
            return Adapted(module, note, settings, settle=module.settle)

        return fit_sequence(self, params, data, seed, out, progress, adapt, params.virtual_tokens)


class _Reparametrised(nn.Module):
    """What a small network adds to the vectors; it starts with nothing, so that training starts from the vocabulary."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, features))
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.layers[-1].bias)  # type: ignore[arg-type]

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors + self.layers(vectors)


class PrefixTuningTrainer(RecipeTrainer):
    """Learnt keys and values before every layer's (Li and Liang 2021); base frozen, decoders only."""

    params_type = PromptTuningParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train prefix and head, write the classifier folder; raises NotAvailable for an encoder."""
        params = read_params(self.recipe, PromptTuningParams)
        settings = {"kind": "prefix", "count": params.virtual_tokens}

        def adapt(model: Any) -> Adapted:
            return Adapted(
                add_adapter(model, settings), f"a prefix of {params.virtual_tokens} keys and values", settings
            )

        return fit_sequence(self, params, data, seed, out, progress, adapt, params.virtual_tokens)
