"""Computes Llama-like decoders over texts without padding; a prefix that all texts share is computed once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.unpadded.ragged import Ragged, attend
from bench.classifiers.lean_decoder import FAMILIES, can_decode
from bench.errors import NotAvailable

KeyValue = tuple[Tensor, Tensor]


class UnpaddedDecoder(nn.Module):
    """States of the tokens that are read, normalised."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        if not can_decode(body):
            known = ", ".join(sorted(FAMILIES))
            raise NotAvailable(f"unpadded serves plain decoders of the families {known}, not {body.config.model_type}")
        self.embeddings, self.rotary, self.norm = body.embed_tokens, body.rotary_emb, body.norm
        self.layers = nn.ModuleList(_Layer(layer, body.config) for layer in body.layers)
        self.prefix: list[KeyValue] = []

    def keep_prefix(self, batch: Ragged) -> None:
        """From now on every text follows these tokens: the one text of the batch."""
        _, self.prefix = self._run(batch, [None] * len(self.layers))

    def forward(self, batch: Ragged) -> Tensor:
        """(b, d); after the prefix where the batch was laid out for it."""
        prefix = self.prefix if batch.layout.keys else [None] * len(self.layers)
        hidden, _ = self._run(batch, prefix)
        return _normalise(self.norm, hidden.index_select(0, batch.readers))

    def _run(self, batch: Ragged, prefix: Any) -> tuple[Tensor, list[KeyValue]]:
        hidden, layout = self.embeddings(batch.ids), batch.layout
        cosines, sines = self.rotary(hidden.unsqueeze(0), batch.positions.unsqueeze(0))
        half = cosines.shape[-1] // 2
        cosines, sines = cosines[0, :, None, :half], sines[0, :, None, :half]
        computed = []
        for layer, before in zip(self.layers, prefix, strict=True):
            hidden, key_value = layer(
                hidden,
                cosines,
                sines,
                before,
                batch.keys_at,
                batch.starts,
                batch.key_starts,
                layout.longest,
                layout.longest_keys,
            )
            computed.append(key_value)
        return hidden, computed


class _Layer(nn.Module):
    """One block; what has the same input is one product, and queries and keys are turned together."""

    def __init__(self, layer: Any, config: Any) -> None:
        super().__init__()
        attention, unit = layer.self_attn, layer.mlp
        self.before_attention, self.before_unit = layer.input_layernorm, layer.post_attention_layernorm
        self.read = _join(attention.q_proj, attention.k_proj, attention.v_proj)
        self.attended, self.down = attention.o_proj, unit.down_proj
        self.gate_up = _join(unit.gate_proj, unit.up_proj)
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        self.width: int = attention.head_dim
        self.scale: float = attention.scaling
        query_norm, key_norm = (getattr(attention, name, None) for name in ("q_norm", "k_norm"))
        self.head_norms: Tensor | None = None
        if query_norm is not None and key_norm is not None:
            self.epsilon: float = query_norm.variance_epsilon
            rows = [query_norm.weight] * self.heads + [key_norm.weight] * self.key_heads
            self.head_norms = nn.Parameter(torch.stack(rows), requires_grad=False)

    def forward(
        self,
        hidden: Tensor,
        cosines: Tensor,
        sines: Tensor,
        prefix: KeyValue | None,
        keys_at: Tensor,
        starts: Tensor,
        key_starts: Tensor,
        longest: int,
        longest_keys: int,
    ) -> tuple[Tensor, KeyValue]:
        heads = self.read(_normalise(self.before_attention, hidden)).unflatten(-1, (-1, self.width))
        turning, value = heads.split([self.heads + self.key_heads, self.key_heads], dim=1)
        if self.head_norms is not None:
            turning = functional.rms_norm(turning, (self.width,), None, self.epsilon) * self.head_norms
        query, key = _rotate(turning, cosines, sines).split([self.heads, self.key_heads], dim=1)
        computed = (key, value)
        if prefix is not None:
            key, value = (
                torch.cat([before, new]).index_select(0, keys_at) for before, new in zip(prefix, computed, strict=True)
            )
        context = attend(query, key, value, starts, key_starts, longest, longest_keys, self.scale, causal=True)
        hidden = hidden + self.attended(context.flatten(1))
        gate, up = self.gate_up(_normalise(self.before_unit, hidden)).chunk(2, dim=-1)
        return hidden + self.down(functional.silu(gate) * up), computed


def _join(*layers: nn.Linear) -> nn.Linear:
    """Linear layers with one input as one."""
    biases: list[Tensor] = [layer.bias for layer in layers if layer.bias is not None]
    with torch.device("meta"):
        joined = nn.Linear(layers[0].in_features, sum(layer.out_features for layer in layers), bias=bool(biases))
    joined.weight = nn.Parameter(torch.cat([layer.weight for layer in layers]), requires_grad=False)
    if biases:
        joined.bias = nn.Parameter(torch.cat(biases), requires_grad=False)
    return joined


def _normalise(norm: Any, states: Tensor) -> Tensor:
    """Root mean square normalisation (Zhang and Sennrich 2019)."""
    return functional.rms_norm(states, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _rotate(states: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotary positions (Su et al. 2021) of (t, heads, width); cosines and sines (t, 1, width / 2)."""
    first, second = states.chunk(2, dim=-1)
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines], dim=-1)
