"""Trains a decoder on a CPU through classifiers/lean_decoder.py: frozen weights cast once, adapters beside them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.classifiers.body import WithBody
from bench.classifiers.lean_decoder import Layers, LeanDecoder, can_decode
from bench.machine.precision import has_fast_bf16
from trainers.cpu.byte_dropout import ByteDropout


def train_lean(module: WithBody, device: str) -> None:
    """Let the module train through a lean body where there is one for its model: on a CPU, with plain layers."""
    body = module.model.base_model
    if device != "cpu" or not can_decode(body) or not all(map(_is_plain, _projections(body))):
        return
    dtype = torch.bfloat16 if has_fast_bf16(device) else torch.float32
    random = ByteDropout.seeded()
    module.use_body(LeanDecoder(body, lambda layers: _Projection(layers, dtype, random), dtype))
    module.random = random  # type: ignore[assignment]  # where the loop's checkpoints look for it


def _projections(body: Any) -> list[nn.Module]:
    names = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    return [
        getattr(part, name)
        for layer in body.layers
        for part in (layer.self_attn, layer.mlp)
        for name in names
        if hasattr(part, name)
    ]


def _is_plain(layer: nn.Module) -> bool:
    """A linear layer, or one low-rank update beside it."""
    if type(layer) is nn.Linear:
        return True
    from peft.tuners.lora import Linear

    return type(layer) is Linear and type(layer.base_layer) is nn.Linear and list(layer.lora_A) == ["default"]


class _Projection:
    """Linear layers with one input: one product where all are frozen, one low-rank update for those that have it."""

    def __init__(self, layers: Layers, dtype: torch.dtype, random: ByteDropout) -> None:
        self.random = random
        self.bases: list[Any] = [getattr(layer, "base_layer", layer) for layer in layers]
        self.updates: list[Any] = [
            None if layer is base else layer for layer, base in zip(layers, self.bases, strict=True)
        ]
        self.adapted: list[Any] = [layer for layer in self.updates if layer is not None]
        self.sizes = [base.out_features for base in self.bases]
        self.frozen: tuple[Tensor, Tensor | None] | None = None
        if not any(base.weight.requires_grad for base in self.bases):
            biases = [base.bias for base in self.bases]
            bias = None if biases[0] is None else torch.cat(biases).detach().to(dtype)
            self.frozen = (torch.cat([base.weight for base in self.bases]).detach().to(dtype), bias)

    def __call__(self, states: Tensor) -> tuple[Tensor, ...]:
        if self.frozen is None:
            outputs = tuple(_linear(states, base.weight, base.bias) for base in self.bases)
        else:
            outputs = functional.linear(states, *self.frozen).split(self.sizes, dim=-1)
        if not self.adapted:
            return outputs
        updates = self._update(states).split(self.sizes, dim=-1)
        return tuple(output + update for output, update in zip(outputs, updates, strict=True))

    def _update(self, states: Tensor) -> Tensor:
        """B A dropped(x), scaled (LoRA, Hu et al. 2021); as in its authors' code the layers share what is dropped."""
        dropout = self.adapted[0].lora_dropout["default"]
        if self.adapted[0].training and isinstance(dropout, nn.Dropout):
            states = self.random(states, dropout.p)
        inner = _linear(states, torch.cat([layer.lora_A["default"].weight for layer in self.adapted]))
        outer = [
            base.weight.new_zeros(base.out_features, 0)
            if layer is None
            else layer.lora_B["default"].weight * layer.scaling["default"]
            for base, layer in zip(self.bases, self.updates, strict=True)
        ]
        return _linear(inner, torch.block_diag(*outer))


def _linear(states: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A trained layer, in the precision of its input."""
    return functional.linear(states, weight.to(states.dtype), None if bias is None else bias.to(states.dtype))
