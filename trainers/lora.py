"""Trains LoRA (Hu et al. 2021) on a transformer with a linear head: merged at the end, or kept beside the base."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from bench.classifiers.adapters import add_adapter, merge_lora
from bench.errors import UsageError
from bench.types import Classifier, Dataset, Progress
from trainers.params import Params, read_params
from trainers.shared.sequence import Adapted, SequenceParams, fit_sequence
from trainers.trainer import RecipeTrainer

# The linear layers of attention by the names that architectures give them; the first group with a match is taken.
ATTENTION_LAYERS = (
    ("query", "key", "value"),
    ("query_proj", "key_proj", "value_proj"),
    ("q_proj", "k_proj", "v_proj"),
    ("q_lin", "k_lin", "v_lin"),
    ("Wqkv",),
    ("c_attn",),
)


class LoraSettings(Params):
    """The adapter's; `targets` are names of linear layers, the attention's by default."""

    r: int = 8
    alpha: int = 16
    dropout: float = 0.0
    targets: tuple[str, ...] | None = None

    def of(self, model: nn.Module) -> dict[str, Any]:
        """The settings of bench/classifiers/adapters.py for a model; raises UsageError for targets it does not have."""
        targets = list(find_targets(model, self.targets))
        return {"kind": "lora", "r": self.r, "alpha": self.alpha, "dropout": self.dropout, "targets": targets}


class LoraParams(SequenceParams, LoraSettings):
    """A fine-tune's, and the adapter's.

    merge: write a plain model; otherwise adapter and base stay apart, and several adapters can share one base.
    """

    merge: bool = True


class LoraTrainer(RecipeTrainer):
    """Trains the adapter and the head; merged, what it writes is an ordinary classifier that every engine serves."""

    params_type = LoraParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train and write the classifier folder."""
        params = read_params(self.recipe, LoraParams)
        return fit_sequence(self, params, data, seed, out, progress, partial(adapt, params=params))


def adapt(model: Any, params: LoraParams) -> Adapted:
    """Put LoRA into the model, in place."""
    settings = params.of(model)
    module = add_adapter(model, settings)
    note = f"LoRA on {', '.join(settings['targets'])}, r {params.r}, alpha {params.alpha}"
    if params.merge:
        return Adapted(module, f"{note}; merged", merge=partial(merge_lora, model))
    return Adapted(module, f"{note}; beside the base", settings=settings)


def find_targets(model: nn.Module, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """Names of the layers to adapt; raises UsageError, with the names there are, when one does not exist."""
    from transformers.pytorch_utils import Conv1D

    linear = {
        name.rsplit(".", 1)[-1] for name, layer in model.named_modules() if isinstance(layer, (nn.Linear, Conv1D))
    }
    candidates = [wanted] if wanted else list(ATTENTION_LAYERS)
    for group in candidates:
        if set(group) <= linear:
            return tuple(group)
    missing = ", ".join(wanted) if wanted else "known attention layers"
    raise UsageError(f"LoRA targets: the model has no {missing}; its linear layers: {', '.join(sorted(linear))}")
