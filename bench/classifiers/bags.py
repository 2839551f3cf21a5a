"""Builds networks that take the mean of token vectors: static embeddings, fastText's n-grams."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

VECTOR_STD = 0.1
HASH_FACTOR = 8191  # a prime: neighbours' ids fall apart in the buckets
MOST_BUCKETS = 2**31 // HASH_FACTOR - 1000  # OpenVINO computes ids in 32 bits


class BagOfVectors(nn.Module):
    """The mean of a text's token vectors under a linear head (Joulin et al. 2017, "Bag of tricks").

    `ngrams` over 1 adds vectors of neighbouring tokens, hashed into `buckets`. `normalise` brings the mean to length 1,
    as static embeddings do (Model2Vec): a token whose vector is 0 then counts for nothing.
    """

    def __init__(
        self,
        *,
        classes: int,
        vocabulary_size: int,
        width: int,
        ngrams: int = 1,
        buckets: int = 0,
        normalise: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.hashed = nn.Embedding(buckets, width) if ngrams > 1 else None
        for table in (self.embedding, self.hashed):
            if table is not None:
                nn.init.normal_(table.weight, std=VECTOR_STD)
        self.ngrams = ngrams
        self.normalise = normalise
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.dropout(self.pooled(input_ids, attention_mask)).to(self.head.weight.dtype)).float()

    def pooled(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The text's vector float32 (b, d)."""
        mask = attention_mask.float()
        total = _sum(self.embedding(input_ids), mask)
        count = mask.sum(dim=1, keepdim=True)
        if self.hashed is not None:
            hashed, buckets = input_ids, self.hashed.num_embeddings
            at = torch.arange(input_ids.shape[1], device=input_ids.device)
            for size in range(2, self.ngrams + 1):
                hashed = ((_before(hashed) % buckets) * HASH_FACTOR + input_ids) % buckets
                whole = mask * (at >= size - 1).float()
                total = total + _sum(self.hashed(hashed), whole)
                count = count + whole.sum(dim=1, keepdim=True)
        mean = total / count.clamp(min=1.0)
        return functional.normalize(mean, dim=-1) if self.normalise else mean


def _sum(vectors: Tensor, weights: Tensor) -> Tensor:
    """Vectors (b, t, d) weighted by (b, t) and added up: float32 (b, d)."""
    return (weights.unsqueeze(1) @ vectors.float()).squeeze(1)


def _before(values: Tensor) -> Tensor:
    """What stands one place before each token; 0 before the first."""
    return torch.cat([torch.zeros_like(values[:, :1]), values[:, :-1]], dim=1)
