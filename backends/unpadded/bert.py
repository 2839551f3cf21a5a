"""Computes a BERT encoder over texts without padding: transformers' answers, no work for tokens that are none."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.shared.bert_family import POSITIONS_FROM_PADDING, check_bert
from backends.unpadded.ragged import Ragged, attend
from bench.classifiers.bert_layer import BertLayer


class UnpaddedEncoder(nn.Module):
    """All tokens' states, or only those that are read: the last layer computes no other."""

    def __init__(self, encoder: Any, readers_only: bool) -> None:
        super().__init__()
        check_bert(encoder.config, "unpadded")
        self.embeddings = encoder.embeddings
        self.readers_only = readers_only
        config = encoder.config
        self.first_position = config.pad_token_id + 1 if config.model_type in POSITIONS_FROM_PADDING else 0
        self.heads = config.num_attention_heads
        self.layers = nn.ModuleList(BertLayer(layer, _Projection(layer)) for layer in encoder.encoder.layer)

    def forward(self, batch: Ragged) -> Tensor:
        """States (t, d) of every token, or (b, d) of those that are read."""
        parts, layout = self.embeddings, batch.layout
        hidden = parts.word_embeddings(batch.ids) + parts.position_embeddings(batch.positions + self.first_position)
        hidden = parts.LayerNorm(hidden + parts.token_type_embeddings.weight[0])
        longest = layout.longest
        of_all = partial(
            self._attend, starts=batch.starts, longest=longest, key_starts=batch.starts, longest_keys=longest
        )
        for layer in self.layers[:-1]:
            hidden = layer(hidden, hidden, of_all)
        if not self.readers_only:
            return cast(Tensor, self.layers[-1](hidden, hidden, of_all))
        readers = hidden.index_select(0, batch.readers)
        one_each = torch.arange(len(readers) + 1, dtype=torch.int32, device=hidden.device)
        of_readers = partial(of_all, starts=one_each, longest=1)  # every text has one query, all its tokens are keys
        return cast(Tensor, self.layers[-1](readers, hidden, of_readers))

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        starts: Tensor,
        longest: int,
        key_starts: Tensor,
        longest_keys: int,
    ) -> Tensor:
        query, key, value = (part.unflatten(-1, (self.heads, -1)) for part in (query, key, value))
        scale = query.shape[-1] ** -0.5
        return attend(query, key, value, starts, key_starts, longest, longest_keys, scale, causal=False).flatten(1)


class _Projection(nn.Module):
    """Queries, keys and values of a layer: one product, two where not every token is a reader."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        attention = layer.attention.self
        parts = (attention.query, attention.key, attention.value)
        self.width = attention.query.out_features
        self.weight = nn.Parameter(torch.cat([part.weight for part in parts]), requires_grad=False)
        self.bias = nn.Parameter(torch.cat([part.bias for part in parts]), requires_grad=False)

    def forward(self, readers: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
        if readers is hidden:
            return functional.linear(hidden, self.weight, self.bias).split(self.width, dim=-1)
        query = functional.linear(readers, self.weight[: self.width], self.bias[: self.width])
        key_value = functional.linear(hidden, self.weight[self.width :], self.bias[self.width :])
        return (query, *key_value.split(self.width, dim=-1))
