"""Computes BERT with a classification head over the real tokens only: the forward pass of training on a CPU.

The same function as transformers' own forward pass, with the same parameters, in less time:

- linear layers read the tokens of a batch one after the other, without padding; only attention sees rows;
- the head reads the first token, so the last layer computes the first tokens only;
- attention is written as matrix products, because the fused kernel has no dropout on a CPU and is slow backwards;
- dropout is that of trainers/cpu/byte_dropout.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.classifiers.adapters import Bottleneck
from bench.classifiers.bert_layer import BertLayer, Linear
from bench.classifiers.sequence import SequenceModule
from trainers.cpu.byte_dropout import ByteDropout


def can_pack(model: nn.Module) -> bool:
    """Whether this is the architecture that PackedBert computes, and nothing stands between its layers."""
    from transformers import BertForSequenceClassification

    plain = not any(isinstance(layer, Bottleneck) for layer in model.modules())
    return plain and isinstance(model, BertForSequenceClassification) and not model.config.is_decoder


@dataclass(frozen=True)
class Layout:
    """Where the n real tokens of a right-padded batch stand: int64 positions in (b * t) and firsts (b,) in (n,)."""

    batch: int
    length: int
    positions: Tensor
    columns: Tensor
    firsts: Tensor
    bias: Tensor | None

    @classmethod
    def of(cls, attention_mask: Tensor, dtype: torch.dtype) -> Layout:
        """`bias` (b, 1, 1, t) is added to the scores; None where no row is padded."""
        batch, length = attention_mask.shape
        positions = attention_mask.flatten().nonzero().flatten()
        lengths = attention_mask.sum(dim=1)
        bias = None
        if len(positions) < batch * length:
            masked = attention_mask[:, None, None, :] == 0
            bias = torch.zeros(masked.shape, dtype=dtype).masked_fill(masked, torch.finfo(dtype).min)
        return cls(batch, length, positions, positions % length, lengths.cumsum(0) - lengths, bias)

    def rows(self, tokens: Tensor, heads: int) -> Tensor:
        """(n, d) -> (b, heads, t, d / heads), padded with zeros."""
        padded = tokens.new_zeros(self.batch * self.length, tokens.shape[1]).index_copy(0, self.positions, tokens)
        return padded.view(self.batch, self.length, heads, -1).transpose(1, 2)

    def tokens(self, rows: Tensor) -> Tensor:
        """(b, heads, t, d / heads) -> (n, d)."""
        flat = rows.transpose(1, 2).reshape(self.batch * self.length, -1)
        return functional.embedding(self.positions, flat)


class PackedBert(SequenceModule):
    """Wraps a transformers BertForSequenceClassification, adapters included; trains its parameters in place."""

    model: Any

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.random = ByteDropout.seeded()
        # a tuple, so that the parameters stay registered once, under transformers' own names
        self._layers = tuple(self._layer(layer) for layer in model.bert.encoder.layer)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        bert, dtype = self.model.bert, _compute_dtype(self.model)
        layout = Layout.of(attention_mask, dtype)
        hidden = self._embed(bert.embeddings, input_ids.flatten()[layout.positions], layout.columns)
        *inner, last = zip(self._layers, bert.encoder.layer, strict=True)
        for layer, own in inner:
            hidden = layer(hidden, hidden, partial(self._attend, own.attention.self, layout))
        firsts = hidden.index_select(0, layout.firsts)
        layer, own = last
        firsts = layer(firsts, hidden, partial(self._attend_firsts, own.attention.self, layout))
        pooled = torch.tanh(bert.pooler.dense(firsts))
        return self.model.classifier(self._drop(pooled, self.model.dropout.p)).float()

    def _layer(self, layer: Any) -> BertLayer:
        """The layer's own modules, adapters included, with this module's dropout behind the products of residuals."""
        outputs = (layer.attention.output, layer.output)
        dropped = {output.dense: partial(self._drop, probability=output.dropout.p) for output in outputs}

        def linear(dense: nn.Module, activation: Callable[[Tensor], Tensor]) -> Linear:
            return _Dropped(dense, activation, dropped[dense]) if dense in dropped else Linear(dense, activation)

        return BertLayer(layer, _Projection(layer.attention.self), linear)

    def _embed(self, embeddings: Any, ids: Tensor, columns: Tensor) -> Tensor:
        types = embeddings.token_type_embeddings.weight[0]
        vectors = embeddings.word_embeddings(ids) + embeddings.position_embeddings(columns) + types
        return self._drop(embeddings.LayerNorm(vectors), embeddings.dropout.p)

    def _attend(self, attention: Any, layout: Layout, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Contexts (n, d) of all tokens."""
        heads = attention.num_attention_heads
        keys, values, queries = (layout.rows(part, heads) for part in (key, value, query))
        return layout.tokens(self._weigh(attention, layout, queries, keys, values))

    def _attend_firsts(self, attention: Any, layout: Layout, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Contexts (b, d) of the first tokens."""
        heads = attention.num_attention_heads
        keys, values = (layout.rows(part, heads) for part in (key, value))
        queries = query.view(layout.batch, heads, 1, -1)
        return self._weigh(attention, layout, queries, keys, values).reshape(layout.batch, -1)

    def _weigh(self, attention: Any, layout: Layout, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        scores = (queries * (1 / math.sqrt(keys.shape[-1]))) @ keys.transpose(-1, -2)
        if layout.bias is not None:
            scores = scores + layout.bias
        return self._drop(scores.softmax(dim=-1), attention.dropout.p) @ values

    def _drop(self, values: Tensor, probability: float) -> Tensor:
        return self.random(values, probability) if self.training else values


class _Projection(nn.Module):
    """Queries, keys and values by transformers' own modules, which may hold adapters."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.query, self.key, self.value = attention.query, attention.key, attention.value

    def forward(self, readers: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        key, value = self.key(hidden), self.value(hidden)
        return self.query(readers), key, value


class _Dropped(Linear):
    """A linear layer with dropout before the residual."""

    def __init__(self, linear: nn.Module, activation: Callable[[Tensor], Tensor], drop: Callable[[Tensor], Tensor]):
        super().__init__(linear, activation)
        self.drop = drop

    def plus(self, states: Tensor, residual: Tensor) -> Tensor:
        """The product, some of it dropped, added to `residual`."""
        return self.drop(self.linear(states)) + residual


def _compute_dtype(model: Any) -> torch.dtype:
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu")
    dtype: torch.dtype = model.dtype
    return dtype
