"""Computes a BERT encoder rewritten for CPUs: the same weights and answers, less work.

What differs from transformers' encoder: weights are laid out once for oneDNN; query, key and value are one product;
GELU and the residual are part of the product before them; attention over short texts is plain batched products, without
a mask where a batch has no padding; and where only the first token is read, the last layer computes only that token.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from backends.packed.linear import PackedLinear
from backends.shared.bert_family import check_bert
from backends.shared.padded_encoder import PaddedEncoder
from bench.classifiers.bert_layer import Attend, BertLayer

LONGEST_FOR_PRODUCTS = 256  # tokens; above, torch's flash attention was faster (fp32 and bf16, 2 cores)


class PackedEncoder(PaddedEncoder):
    """Products in oneDNN's layout, the operation behind each in one with it."""

    def __init__(self, encoder: Any, first_token_only: bool) -> None:
        check_bert(encoder.config, "packed")
        self.heads = encoder.config.num_attention_heads
        layers = (BertLayer(layer, _Projection(layer, self.heads), _pack) for layer in encoder.encoder.layer)
        super().__init__(encoder, first_token_only, layers)

    def attention(self, attention_mask: Tensor, dtype: torch.dtype) -> Attend:
        """Padding is a bias (b, t); there is none in a batch without padding."""
        bias = None
        if not attention_mask.all():
            bias = torch.zeros(attention_mask.shape, dtype=dtype).masked_fill_(attention_mask == 0, float("-inf"))
        return partial(attend, bias=bias, heads=self.heads)

    def first(self, hidden: Tensor) -> Tensor:
        """One after the other in memory, as oneDNN reads them."""
        return super().first(hidden).contiguous()


class _Projection(nn.Module):
    """Scaled queries, keys and values of a layer: one product, two where not every token is a reader."""

    def __init__(self, layer: Any, heads: int) -> None:
        super().__init__()
        attention = layer.attention.self
        self.width = attention.query.out_features
        scale = (self.width // heads) ** -0.5
        query = (attention.query.weight * scale, attention.query.bias * scale)
        key, value = ((part.weight, part.bias) for part in (attention.key, attention.value))
        self.query_key_value = PackedLinear(query, key, value)
        self.query = PackedLinear(query)
        self.key_value = PackedLinear(key, value)

    def forward(self, readers: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
        if readers is hidden:
            return tuple(self.query_key_value(hidden).split(self.width, dim=-1))
        return (self.query(readers), *self.key_value(hidden).split(self.width, dim=-1))


def _pack(linear: nn.Linear, _: Any) -> PackedLinear:
    """The activation is GELU: check_bert has seen to it."""
    return PackedLinear((linear.weight, linear.bias))


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, heads: int) -> Tensor:
    """Attention of scaled queries (b, r, d) over keys and values (b, t, d); bias (b, t) is added to the scores."""
    batch, readers, width = query.shape
    length = key.shape[1]
    query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value))
    if batch == 1 or length > LONGEST_FOR_PRODUCTS:
        mask = None if bias is None else bias[:, None, None]
        context = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=1.0)
    else:
        query, key, value = (part.flatten(0, 1) for part in (query, key, value))
        key = key.transpose(1, 2)
        if bias is None:
            scores = torch.bmm(query, key)
        else:
            rows = bias.repeat_interleave(heads, dim=0)[:, None].expand(-1, readers, -1)
            scores = torch.baddbmm(rows, query, key)
        # torch's bf16 softmax takes twice as long as its fp32 one, both conversions counted
        weights = scores.float().softmax(dim=-1).to(value.dtype)
        context = torch.bmm(weights, value).unflatten(0, (batch, heads))
    return context.transpose(1, 2).reshape(batch, readers, width)
