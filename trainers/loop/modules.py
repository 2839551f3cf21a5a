"""Counts a module's parameters, and seeds everything that draws its weights."""

from __future__ import annotations

import torch
from torch import nn


def seed_everything(seed: int) -> None:
    """The same seed gives the same weights on the same machine."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # every kernel here writes all it reads; filling memory first costs 6 % of a step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def trainable_parameters(module: nn.Module) -> int:
    """Numbers that training moves."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)


def all_parameters(module: nn.Module) -> int:
    """Numbers in all weights."""
    return sum(weight.numel() for weight in module.parameters())
