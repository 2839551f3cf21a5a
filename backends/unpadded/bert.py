"""A BERT encoder over texts without padding: transformers' weights and answers, no work for tokens that are none."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.shared.bert_family import POSITIONS_FROM_PADDING, check_bert
from backends.unpadded.ragged import Ragged, attend


class UnpaddedEncoder(nn.Module):
    """All tokens' states, or only those that are read: the last layer computes no other."""

    def __init__(self, encoder: Any, readers_only: bool) -> None:
        super().__init__()
        check_bert(encoder.config, "unpadded")
        self.embeddings = encoder.embeddings
        self.readers_only = readers_only
        config = encoder.config
        self.first_position = config.pad_token_id + 1 if config.model_type in POSITIONS_FROM_PADDING else 0
        self.layers = nn.ModuleList(_Layer(layer, config.num_attention_heads) for layer in encoder.encoder.layer)

    def forward(self, batch: Ragged) -> Tensor:
        """States (t, d) of every token, or (b, d) of those that are read."""
        parts, layout = self.embeddings, batch.layout
        hidden = parts.word_embeddings(batch.ids) + parts.position_embeddings(batch.positions + self.first_position)
        hidden = parts.LayerNorm(hidden + parts.token_type_embeddings.weight[0])
        for layer in self.layers[:-1]:
            hidden = layer(hidden, batch.starts, layout.longest)
        last: Any = self.layers[-1]
        states: Tensor = (
            last.of_readers(hidden, batch) if self.readers_only else last(hidden, batch.starts, layout.longest)
        )
        return states


class _Layer(nn.Module):
    """One transformer layer; query, key and value are one product."""

    def __init__(self, layer: Any, heads: int) -> None:
        super().__init__()
        attention = layer.attention.self
        parts = (attention.query, attention.key, attention.value)
        self.heads = heads
        self.scale = (attention.query.out_features // heads) ** -0.5
        self.weight = nn.Parameter(torch.cat([part.weight for part in parts]), requires_grad=False)
        self.bias = nn.Parameter(torch.cat([part.bias for part in parts]), requires_grad=False)
        self.attended, self.attended_norm = layer.attention.output.dense, layer.attention.output.LayerNorm
        self.up, self.down, self.norm = layer.intermediate.dense, layer.output.dense, layer.output.LayerNorm

    def forward(self, hidden: Tensor, starts: Tensor, longest: int) -> Tensor:
        projected = functional.linear(hidden, self.weight, self.bias).unflatten(-1, (3, self.heads, -1))
        query, key, value = projected.unbind(dim=1)
        context = attend(query, key, value, starts, starts, longest, longest, self.scale, causal=False)
        return self._rest(context, hidden)

    def of_readers(self, hidden: Tensor, batch: Ragged) -> Tensor:
        """(b, d): every text has one query, all its tokens are keys."""
        width = hidden.shape[-1]
        readers = hidden.index_select(0, batch.readers)
        query = functional.linear(readers, self.weight[:width], self.bias[:width]).unflatten(-1, (self.heads, -1))
        key_value = functional.linear(hidden, self.weight[width:], self.bias[width:])
        key, value = key_value.unflatten(-1, (2, self.heads, -1)).unbind(dim=1)
        one_each = torch.arange(len(readers) + 1, dtype=torch.int32, device=hidden.device)
        longest = batch.layout.longest
        context = attend(query, key, value, one_each, batch.starts, 1, longest, self.scale, causal=False)
        return self._rest(context, readers)

    def _rest(self, context: Tensor, residual: Tensor) -> Tensor:
        attended = self.attended_norm(self.attended(context.flatten(1)) + residual)
        return self.norm(self.down(functional.gelu(self.up(attended))) + attended)
