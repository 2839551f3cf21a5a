"""Lays the weights of linear layers out once for oneDNN, through inductor's operators."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PackedLinear(nn.Module):
    """Linear layers with one input as one product; either all have a bias or none."""

    def __init__(self, *parts: tuple[Tensor, Tensor | None]) -> None:
        super().__init__()
        weight = torch.cat([weight for weight, _ in parts])
        biases = [bias for _, bias in parts if bias is not None]
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        self.bias = torch.cat(biases) if biases else None

    def forward(self, states: Tensor) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(states, self.weight, self.bias, "none", [], "")

    def activated(self, states: Tensor) -> Tensor:
        """The product through the exact GELU."""
        return torch.ops.mkldnn._linear_pointwise(states, self.weight, self.bias, "gelu", [], "none")

    def plus(self, states: Tensor, residual: Tensor) -> Tensor:
        """The product added to `residual`."""
        return torch.ops.mkldnn._linear_pointwise.binary(states, residual, self.weight, self.bias, "add")


def pack_linears(module: nn.Module) -> nn.Module:
    """Exchange every linear layer of a module for a packed one, in place; the others stay as they are."""
    for name, layer in list(module.named_modules()):
        if type(layer) is nn.Linear:
            owner, _, child = name.rpartition(".")
            setattr(module.get_submodule(owner), child, PackedLinear((layer.weight, layer.bias)))
    return module
