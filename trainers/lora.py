"""LoRA (Hu et al. 2021) on a transformer with a linear head; the adapter is merged when training ends."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from torch import nn

from bench.errors import UsageError
from bench.types import BaseWeights, Classifier, Dataset, Progress, Recipe
from trainers.full_finetune import require_base
from trainers.params import read_params
from trainers.sequence import Adapter, SequenceParams, fit_sequence

# The linear layers of attention by the names that architectures give them; the first group with a match is taken.
ATTENTION_LAYERS = (
    ("query", "key", "value"),
    ("query_proj", "key_proj", "value_proj"),
    ("q_proj", "k_proj", "v_proj"),
    ("q_lin", "k_lin", "v_lin"),
    ("Wqkv",),
    ("c_attn",),
)


class LoraParams(SequenceParams):
    """A fine-tune's, and the adapter's; `targets` are names of linear layers, the attention's by default."""

    r: int = 8
    alpha: int = 16
    dropout: float = 0.0
    targets: tuple[str, ...] | None = None


class LoraTrainer:
    """Trains the adapter and the head; what it writes is an ordinary classifier that every engine serves."""

    def __init__(self, recipe: Recipe, base: BaseWeights | None, device: str, threads: int, cache: Path) -> None:
        self.recipe = recipe
        self.base = base
        self.device = device

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train, merge and write the classifier folder."""
        params = read_params(self.recipe, LoraParams)
        base = require_base(self.base, self.recipe)
        adapt = partial(add_adapter, params=params)
        return fit_sequence(self.recipe, base, params, data, seed, self.device, out, progress, adapt)


def add_adapter(model: nn.Module, params: LoraParams) -> Adapter:
    """Put LoRA into the model, in place."""
    from peft import LoraConfig, TaskType, get_peft_model

    targets = find_targets(model, params.targets)
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=params.r,
        lora_alpha=params.alpha,
        lora_dropout=params.dropout,
        target_modules=list(targets),
    )
    note = f"LoRA on {', '.join(targets)}, r {params.r}, alpha {params.alpha}; merged"
    return Adapter(get_peft_model(model, config).merge_and_unload, note)


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
