"""A BERT encoder rewritten for CPUs: the same weights and answers, less work.

What differs from transformers' encoder: weights are laid out once for oneDNN; query, key and value are one product;
GELU and the residual are part of the product before them; attention over short texts is plain batched products, without
a mask where a batch has no padding; and where only the first token is read, the last layer computes only that token.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_outputs import BaseModelOutputWithPooling

from backends.packed.linear import PackedLinear
from backends.shared.bert_family import check_bert

LONGEST_FOR_PRODUCTS = 256  # tokens; above, torch's flash attention was faster (fp32 and bf16, 2 cores)


class PackedEncoder(nn.Module):
    """Stands in for transformers' encoder of a classification model or of a sentence encoder."""

    def __init__(self, encoder: Any, first_token_only: bool) -> None:
        super().__init__()
        check_bert(encoder.config, "packed")
        self.config = encoder.config
        self.embeddings = encoder.embeddings
        self.pooler = encoder.pooler
        self.first_token_only = first_token_only
        layers = encoder.encoder.layer
        self.layers = nn.ModuleList(PackedLayer(layer, encoder.config.num_attention_heads) for layer in layers)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """Hidden states (b, t, d), or (b, 1, d) where only the first token is read; the rest are defaults."""
        hidden = self.embeddings(input_ids=input_ids)
        bias = None
        if not attention_mask.all():
            bias = torch.zeros(attention_mask.shape, dtype=hidden.dtype).masked_fill_(
                attention_mask == 0, float("-inf")
            )
        for layer in self.layers[:-1]:
            hidden = layer(hidden, hidden, bias)
        readers = hidden[:, :1].contiguous() if self.first_token_only else hidden
        hidden = self.layers[-1](readers, hidden, bias)
        return BaseModelOutputWithPooling(
            last_hidden_state=hidden, pooler_output=self.pooler(hidden) if self.pooler else None
        )


class PackedLayer(nn.Module):
    """One transformer layer; `readers` are the tokens whose state is computed, `hidden` those they look at."""

    def __init__(self, layer: Any, heads: int) -> None:
        super().__init__()
        attention = layer.attention.self
        self.heads = heads
        self.width = attention.query.out_features
        scale = (self.width // heads) ** -0.5
        query = (attention.query.weight * scale, attention.query.bias * scale)
        key, value = ((part.weight, part.bias) for part in (attention.key, attention.value))
        self.query_key_value = PackedLinear(query, key, value)
        self.query = PackedLinear(query)
        self.key_value = PackedLinear(key, value)
        self.attended = PackedLinear(_weights(layer.attention.output.dense))
        self.attended_norm = layer.attention.output.LayerNorm
        self.up = PackedLinear(_weights(layer.intermediate.dense))
        self.down = PackedLinear(_weights(layer.output.dense))
        self.norm = layer.output.LayerNorm

    def forward(self, readers: Tensor, hidden: Tensor, bias: Tensor | None) -> Tensor:
        if readers is hidden:
            query, key, value = self.query_key_value(hidden).split(self.width, dim=-1)
        else:
            query = self.query(readers)
            key, value = self.key_value(hidden).split(self.width, dim=-1)
        context = attend(query, key, value, bias, self.heads)
        attended = self.attended_norm(self.attended.plus(context, readers))
        return self.norm(self.down.plus(self.up.gelu(attended), attended))


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


def _weights(linear: nn.Linear) -> tuple[Tensor, Tensor]:
    return linear.weight, linear.bias
