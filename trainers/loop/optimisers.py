"""Makes the optimiser and the learning-rate schedule of the training loop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field

from bench.errors import NotAvailable
from trainers.params import Params


class OptimiserParams(Params):
    """AdamW and its schedule; `warmup_steps` where given stands before `warmup_share` of all steps."""

    learning_rate: float = Field(default=2e-4, gt=0.0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_share: float = 0.1
    warmup_steps: int | None = None
    weight_decay: float = 0.01
    optimiser: Literal["adamw", "adamw-8bit"] = "adamw"


def make_optimiser(trainable: Mapping[str, torch.Tensor], params: OptimiserParams) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019); biases and normalisation weights are not decayed."""
    decayed = [weight for weight in trainable.values() if weight.ndim > 1]
    others = [weight for weight in trainable.values() if weight.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": params.weight_decay}, {"params": others, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if params.optimiser == "adamw-8bit":
        return _eight_bit(groups, params.learning_rate)
    return torch.optim.AdamW(groups, lr=params.learning_rate, fused=True)


def _eight_bit(groups: list[dict[str, object]], learning_rate: float) -> torch.optim.Optimizer:
    """Dettmers et al. 2022: the moments in 8 bits, for GPUs."""
    if not torch.cuda.is_available():
        raise NotAvailable("8-bit AdamW needs a GPU; --set optimiser=adamw trains the same in 32 bits")
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise NotAvailable("8-bit AdamW needs bitsandbytes: pip install 'text-classifier-bench[qlora]'") from error
    optimiser: torch.optim.Optimizer = AdamW8bit(groups, lr=learning_rate)
    return optimiser


def share_of_rate(step: int, steps: int, params: OptimiserParams) -> float:
    """The share of the learning rate at a step: linear warm-up, then the schedule down to 0."""
    warmup = params.warmup_share * steps if params.warmup_steps is None else min(params.warmup_steps, steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1.0, steps - warmup)
    if params.schedule == "constant":
        return 1.0
    return 1 - done if params.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
