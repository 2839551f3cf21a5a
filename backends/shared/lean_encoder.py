"""Computes a BERT encoder as exporters and compilers like it: the same answers, fewer and plainer operators.

What differs from transformers' encoder: the scale of the scores is in the query's weights; padding is one added bias,
so that no row of the softmax needs looking after; and where only the first token is read, the last layer computes only
that token, which on MiniLM takes away 14 % of the products. Forward passes of MiniLM's exports took 0.82 (ONNX Runtime
int8), 0.88 (OpenVINO bf16) and 0.82 (OpenVINO int8) of the time before, in one run on 2 cores.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from backends.shared.bert_family import is_bert
from backends.shared.padded_encoder import PaddedEncoder
from bench.classifiers.bert_layer import Attend, BertLayer
from bench.types import Classifier

HIDDEN = -1e9  # added to the scores of padding: exp of it is 0 in every precision


def lighten(module: nn.Module, classifier: Classifier) -> nn.Module:
    """Put the lean encoder where the module has a BERT-like one of transformers; other modules stay as they are.

    An adapter kept beside its base is built into the layers, and stays where it is.
    """
    if "adapter" in classifier.manifest.settings:
        return module
    if classifier.kind == "embedding":
        owner: Any = getattr(module, "sentence_encoder", None)
        name, first_token_only = "encoder", classifier.manifest.settings["pooling"] == "cls"
    elif classifier.kind == "sequence" and hasattr(module, "model"):
        owner = module.model
        name, first_token_only = getattr(owner, "base_model_prefix", ""), True
    else:
        return module
    encoder = getattr(owner, name, None)
    if is_bert(getattr(encoder, "config", None)):
        setattr(owner, name, LeanEncoder(encoder, first_token_only))
    return module


class LeanEncoder(PaddedEncoder):
    """Transformers' linear layers, and attention of four plain operators."""

    def __init__(self, encoder: Any, first_token_only: bool) -> None:
        self.heads = encoder.config.num_attention_heads
        layers = (BertLayer(layer, _Projection(layer, self.heads)) for layer in encoder.encoder.layer)
        super().__init__(encoder, first_token_only, layers)

    def attention(self, attention_mask: Tensor, dtype: torch.dtype) -> Attend:
        """Padding is one bias (b, 1, 1, t)."""
        bias = (1 - attention_mask[:, None, None].to(dtype)) * HIDDEN
        return partial(_attend, bias=bias, heads=self.heads)


class _Projection(nn.Module):
    """Scaled queries, keys and values of a layer, each a product of its own."""

    def __init__(self, layer: Any, heads: int) -> None:
        super().__init__()
        attention = layer.attention.self
        self.query = _scale(attention.query, (attention.query.out_features // heads) ** -0.5)
        self.key, self.value = attention.key, attention.value

    def forward(self, readers: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.query(readers), self.key(hidden), self.value(hidden)


def _attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, heads: int) -> Tensor:
    query, key, value = (part.unflatten(-1, (heads, -1)) for part in (query, key, value))
    scores = query.permute(0, 2, 1, 3) @ key.permute(0, 2, 3, 1) + bias
    context = scores.softmax(dim=-1) @ value.permute(0, 2, 1, 3)
    return context.permute(0, 2, 1, 3).flatten(2)


def _scale(linear: nn.Linear, scale: float) -> nn.Linear:
    scaled = nn.Linear(linear.in_features, linear.out_features, dtype=linear.weight.dtype)
    with torch.no_grad():
        scaled.weight.copy_(linear.weight * scale)
        scaled.bias.copy_(linear.bias * scale)
    return scaled
