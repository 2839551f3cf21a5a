"""Computes a BERT layer from its projections, its attention and its products, which each engine brings in its way.

The one place of the layer's mathematics: attention, its output and the residual, a norm, the two products of the
feed-forward part, the residual and a norm. What differs from one way of computing to another is passed in: how query,
key and value come from the states, how texts of different lengths attend (padded or one after the other), and what
multiplies (transformers' own linear layers, or oneDNN's with the operations around them in one).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


class Linear(nn.Module):
    """A linear layer, and what a BERT layer does right after it."""

    def __init__(self, linear: nn.Module, activation: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.linear = linear
        self.activation = activation

    def activated(self, states: Tensor) -> Tensor:
        """The product through the layer's activation."""
        return self.activation(self.linear(states))

    def plus(self, states: Tensor, residual: Tensor) -> Tensor:
        """The product added to `residual`."""
        product: Tensor = self.linear(states)
        return product + residual


class BertLayer(nn.Module):
    """One transformer layer with transformers' weights.

    layer: transformers' own. project: readers and hidden states to queries (.., d), keys and values. linear: a linear
    layer of `layer` and its activation to something with `activated` and `plus`.
    """

    def __init__(self, layer: Any, project: nn.Module, linear: Callable[..., Any] = Linear) -> None:
        super().__init__()
        self.project = project
        activation = layer.intermediate.intermediate_act_fn
        self.attended = linear(layer.attention.output.dense, activation)
        self.attended_norm = layer.attention.output.LayerNorm
        self.up = linear(layer.intermediate.dense, activation)
        self.down = linear(layer.output.dense, activation)
        self.norm = layer.output.LayerNorm

    def forward(self, readers: Tensor, hidden: Tensor, attend: Attend) -> Tensor:
        """States (.., d) of the `readers`, the tokens whose state is computed; `hidden` are those they look at."""
        context = attend(*self.project(readers, hidden))
        attended = self.attended_norm(self.attended.plus(context, readers))
        states: Tensor = self.norm(self.down.plus(self.up.activated(attended), attended))
        return states
