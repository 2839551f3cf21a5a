"""BERT with a classification head, computed over the real tokens only: the forward pass of training on a CPU.

The same function as transformers' own forward pass, with the same parameters, in less time:

- linear layers read the tokens of a batch one after the other, without padding; only attention sees rows;
- the head reads the first token, so the last layer computes the first tokens only;
- attention is written as matrix products, because the fused kernel has no dropout on a CPU and is slow backwards;
- dropout is that of trainers/cpu/byte_dropout.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.classifiers.adapters import Bottleneck
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

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        bert, dtype = self.model.bert, _compute_dtype(self.model)
        layout = Layout.of(attention_mask, dtype)
        hidden = self._embed(bert.embeddings, input_ids.flatten()[layout.positions], layout.columns)
        *inner, last = bert.encoder.layer
        for layer in inner:
            hidden = self._finish(layer, hidden, layout.tokens(self._attend(layer, layout, hidden, None)))
        firsts = hidden.index_select(0, layout.firsts)
        firsts = self._finish(last, firsts, self._attend(last, layout, hidden, firsts).reshape(layout.batch, -1))
        pooled = torch.tanh(bert.pooler.dense(firsts))
        return self.model.classifier(self._drop(pooled, self.model.dropout.p)).float()

    def _embed(self, embeddings: Any, ids: Tensor, columns: Tensor) -> Tensor:
        types = embeddings.token_type_embeddings.weight[0]
        vectors = embeddings.word_embeddings(ids) + embeddings.position_embeddings(columns) + types
        return self._drop(embeddings.LayerNorm(vectors), embeddings.dropout.p)

    def _attend(self, layer: Any, layout: Layout, hidden: Tensor, firsts: Tensor | None) -> Tensor:
        """Contexts (b, heads, t, d / heads) of all tokens, or (b, heads, 1, d / heads) of the first ones."""
        attention = layer.attention.self
        heads = attention.num_attention_heads
        keys = layout.rows(attention.key(hidden), heads)
        values = layout.rows(attention.value(hidden), heads)
        if firsts is None:
            queries = layout.rows(attention.query(hidden), heads)
        else:
            queries = attention.query(firsts).view(layout.batch, heads, 1, -1)
        scores = (queries * (1 / math.sqrt(keys.shape[-1]))) @ keys.transpose(-1, -2)
        if layout.bias is not None:
            scores = scores + layout.bias
        return self._drop(scores.softmax(dim=-1), attention.dropout.p) @ values

    def _finish(self, layer: Any, hidden: Tensor, contexts: Tensor) -> Tensor:
        output = layer.attention.output
        hidden = output.LayerNorm(self._drop(output.dense(contexts), output.dropout.p) + hidden)
        output = layer.output
        return output.LayerNorm(self._drop(output.dense(layer.intermediate(hidden)), output.dropout.p) + hidden)

    def _drop(self, values: Tensor, probability: float) -> Tensor:
        return self.random(values, probability) if self.training else values


def _compute_dtype(model: Any) -> torch.dtype:
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu")
    dtype: torch.dtype = model.dtype
    return dtype
