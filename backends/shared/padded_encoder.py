"""Stands in for transformers' BERT encoder over padded texts; engines bring the layers and how they attend."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from bench.classifiers.bert_layer import Attend, BertLayer


class PaddedEncoder(nn.Module):
    """The encoder of a classification model or of a sentence encoder; embeddings and pooler stay transformers'."""

    def __init__(self, encoder: Any, first_token_only: bool, layers: Iterable[BertLayer]) -> None:
        super().__init__()
        self.config = encoder.config
        self.embeddings = encoder.embeddings
        self.pooler = encoder.pooler
        self.first_token_only = first_token_only
        self.layers = nn.ModuleList(layers)

    @abstractmethod
    def attention(self, attention_mask: Tensor, dtype: torch.dtype) -> Attend:
        """Attention of scaled queries (b, r, d) over keys and values (b, t, d), where the mask (b, t) is not 0."""

    def first(self, hidden: Tensor) -> Tensor:
        """The first tokens' states (b, 1, d)."""
        return hidden[:, :1]

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: Any) -> BaseModelOutputWithPooling:
        """Hidden states (b, t, d), or (b, 1, d) where only the first token is read; the rest are defaults."""
        hidden = self.embeddings(input_ids=input_ids)
        attend = self.attention(attention_mask, hidden.dtype)
        for layer in self.layers[:-1]:
            hidden = layer(hidden, hidden, attend)
        hidden = self.layers[-1](self.first(hidden) if self.first_token_only else hidden, hidden, attend)
        return BaseModelOutputWithPooling(
            last_hidden_state=hidden, pooler_output=self.pooler(hidden) if self.pooler else None
        )
