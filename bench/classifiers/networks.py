"""Builds networks trained from scratch on word vectors: token ids in, logits out; padding never changes an answer.

All take right-padded input_ids and attention_mask int64 (b, t) and return logits float32 (b, k). Recurrent layers read
each row backwards over its real tokens only (the row is turned round within its own length), which equals torch's
packed sequences and, unlike them, can be compiled and exported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.classifiers.bags import VECTOR_STD, BagOfVectors
from bench.errors import UsageError

ROUTING_ROUNDS = 3
MASKED = -1e4  # far below any score, and finite in bf16: a fully masked row must not become NaN


def word_vectors(vocabulary_size: int, width: int) -> nn.Embedding:
    """A table of small random vectors: torch's own are ten times as large, and learning hardly moves them."""
    table = nn.Embedding(vocabulary_size, width)
    nn.init.normal_(table.weight, std=VECTOR_STD)
    return table


class TextCnn(nn.Module):
    """Convolutions over word vectors and max over time (Kim 2014); every window that touches a token counts."""

    def __init__(
        self, *, classes: int, vocabulary_size: int, width: int, filters: int, windows: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        self.embedding = word_vectors(vocabulary_size, width)
        self.convolutions = nn.ModuleList(nn.Conv1d(width, filters, size, padding=size - 1) for size in windows)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(filters * len(windows), classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask.to(self.embedding.weight.dtype).unsqueeze(1)
        vectors = self.embedding(input_ids).transpose(1, 2) * mask
        features = [_max_over_windows(convolution, vectors, mask) for convolution in self.convolutions]
        return self.head(self.dropout(torch.cat(features, dim=1))).float()


def _max_over_windows(convolution: nn.Module, vectors: Tensor, mask: Tensor) -> Tensor:
    activations = torch.relu(convolution(vectors))
    reach = activations.shape[-1] - mask.shape[-1]
    ends = torch.arange(activations.shape[-1], device=mask.device)
    touches_text = ends < mask.sum(dim=-1, keepdim=True) + reach
    return (activations * touches_text.to(activations.dtype)).amax(dim=-1)


class Bidirectional(nn.Module):
    """One recurrent layer each way: (b, t, d) -> (b, t, 2 h); states of padding are 0."""

    def __init__(self, cell: Callable[..., nn.Module], width: int, hidden: int) -> None:
        super().__init__()
        self.forwards = cell(width, hidden, batch_first=True)
        self.backwards = cell(width, hidden, batch_first=True)

    def forward(self, vectors: Tensor, attention_mask: Tensor) -> Tensor:
        states, _ = self.forwards(vectors)
        turned, _ = self.backwards(_reverse(vectors, attention_mask))
        both = torch.cat([states, _reverse(turned, attention_mask)], dim=-1)
        return both * attention_mask.unsqueeze(-1).to(both.dtype)


def _reverse(rows: Tensor, attention_mask: Tensor) -> Tensor:
    """Each row's real tokens in reverse order; padding stays where it is. Turning twice gives the rows back."""
    at = torch.arange(rows.shape[1], device=rows.device).unsqueeze(0)
    last = attention_mask.sum(dim=1, keepdim=True) - 1
    order = torch.where(at <= last, last - at, at)
    return rows.gather(1, order.unsqueeze(-1).expand(-1, -1, rows.shape[2]))


class Recurrent(nn.Module):
    """A bidirectional LSTM (Hochreiter and Schmidhuber 1997) or GRU (Cho et al. 2014), pooled by `pool`.

    `filters` > 0 puts a convolution over `window` tokens between word vectors and recurrent layer (C-LSTM, Zhou et
    al. 2015).
    """

    def __init__(
        self,
        cell: Callable[..., nn.Module],
        pool: Callable[[int], nn.Module],
        *,
        classes: int,
        vocabulary_size: int,
        width: int,
        hidden: int,
        dropout: float,
        filters: int = 0,
        window: int = 3,
    ) -> None:
        super().__init__()
        self.embedding = word_vectors(vocabulary_size, width)
        self.convolution = nn.Conv1d(width, filters, window, padding=window // 2) if filters else None
        self.recurrent = Bidirectional(cell, filters or width, hidden)
        self.pool = pool(2 * hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.pool.features, classes)  # type: ignore[arg-type]

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask.unsqueeze(-1).to(self.embedding.weight.dtype)
        vectors = self.dropout(self.embedding(input_ids)) * mask
        if self.convolution is not None:
            vectors = torch.relu(self.convolution(vectors.transpose(1, 2)).transpose(1, 2)) * mask
        pooled = self.pool(self.recurrent(vectors, attention_mask), attention_mask)
        return self.head(self.dropout(pooled)).float()


class MaxPool(nn.Module):
    """The largest state of each feature over the real tokens."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        return states.masked_fill(attention_mask.unsqueeze(-1) == 0, MASKED).amax(dim=1)


class AttentionPool(nn.Module):
    """A weighted mean of the states, weights from a learnt query (Yang et al. 2016, word attention)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.key = nn.Linear(features, features)
        self.query = nn.Linear(features, 1, bias=False)

    def forward(self, states: Tensor, attention_mask: Tensor) -> Tensor:
        scores = self.query(torch.tanh(self.key(states))).squeeze(-1).masked_fill(attention_mask == 0, MASKED)
        return (states * scores.softmax(dim=1).unsqueeze(-1)).sum(dim=1)


class CapsuleLstm(nn.Module):
    """Capsules over the states of a bidirectional LSTM, one class a capsule, routed by agreement (Sabour et al. 2017).

    Two departures, without which long texts leave the network at chance: a class capsule takes the mean of its votes
    over the tokens, where the sum over hundreds of tokens saturates the squashing at once; and the logit of a class is
    the log-odds of its capsule's length, so that cross-entropy can push lengths apart all the way.
    """

    def __init__(
        self, *, classes: int, vocabulary_size: int, width: int, hidden: int, dropout: float, capsule: int
    ) -> None:
        super().__init__()
        self.embedding = word_vectors(vocabulary_size, width)
        self.recurrent = Bidirectional(nn.LSTM, width, hidden)
        self.dropout = nn.Dropout(dropout)
        self.classes = classes
        self.votes = nn.Linear(2 * hidden, classes * capsule)
        self.scale = nn.Parameter(torch.ones(classes))
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        mask = attention_mask.unsqueeze(-1).to(self.embedding.weight.dtype)
        states = self.recurrent(self.dropout(self.embedding(input_ids)) * mask, attention_mask)
        votes = self.votes(self.dropout(states)).float()
        votes = votes.view(*votes.shape[:2], self.classes, -1)
        lengths = _route(votes, attention_mask.float())
        return (lengths.logit(eps=1e-4) * self.scale + self.bias).float()


def _route(votes: Tensor, mask: Tensor) -> Tensor:
    """Lengths in (0, 1) of the class capsules: votes (b, t, k, d), mask (b, t) -> (b, k)."""
    share = mask / mask.sum(dim=1, keepdim=True)
    agreement = votes.new_zeros(votes.shape[:3])
    for last in (False,) * (ROUTING_ROUNDS - 1) + (True,):
        coupling = agreement.softmax(dim=2) * votes.shape[2] * share.unsqueeze(-1)
        mean = (coupling.unsqueeze(-1) * votes).sum(dim=1)
        length = mean.norm(dim=-1, keepdim=True)
        capsules = mean * length / (1 + length.square())
        if not last:
            agreement = agreement + (votes * capsules.detach().unsqueeze(1)).sum(dim=-1)
    return length.squeeze(-1).square() / (1 + length.squeeze(-1).square())


class TransformerEncoder(nn.Module):
    """A small transformer encoder (Vaswani et al. 2017): learnt positions, normalisation first, mean over tokens."""

    def __init__(
        self,
        *,
        classes: int,
        vocabulary_size: int,
        width: int,
        layers: int,
        heads: int,
        dropout: float,
        max_length: int,
    ) -> None:
        super().__init__()
        self.embedding = word_vectors(vocabulary_size, width)
        self.positions = nn.Embedding(max_length, width)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)
        nn.init.normal_(self.positions.weight, std=VECTOR_STD)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        at = torch.arange(input_ids.shape[1], device=input_ids.device)
        states = self.dropout(self.embedding(input_ids) + self.positions(at))
        sight = (attention_mask != 0)[:, None, None, :]
        for block in self.blocks:
            states = block(states, sight)
        weights = attention_mask.unsqueeze(-1).float()
        pooled = (self.norm(states).float() * weights).sum(dim=1) / weights.sum(dim=1)
        return self.head(self.dropout(pooled).to(self.head.weight.dtype)).float()


class TransformerBlock(nn.Module):
    """Self-attention and a feed-forward layer of four times the width, each with its residual."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.projections = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, sight: Tensor) -> Tensor:
        batch, length, width = states.shape
        projected = self.projections(self.attention_norm(states)).view(batch, length, 3, self.heads, -1)
        query, key, value = projected.permute(2, 0, 3, 1, 4)
        context = functional.scaled_dot_product_attention(query, key, value, attn_mask=sight)
        states = states + self.dropout(self.out(context.transpose(1, 2).reshape(batch, length, width)))
        return states + self.dropout(self.feed(self.feed_norm(states)))


def _lstm(**settings: Any) -> nn.Module:
    return Recurrent(nn.LSTM, MaxPool, **settings)


def _gru(**settings: Any) -> nn.Module:
    return Recurrent(nn.GRU, MaxPool, **settings)


def _attention_lstm(**settings: Any) -> nn.Module:
    return Recurrent(nn.LSTM, AttentionPool, **settings)


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {
    "cnn": TextCnn,
    "lstm": _lstm,
    "gru": _gru,
    "cnn+lstm": _lstm,
    "attention-lstm": _attention_lstm,
    "capsule-lstm": CapsuleLstm,
    "transformer": TransformerEncoder,
    "bag": BagOfVectors,
}


def make_network(architecture: str, classes: int, settings: dict[str, Any]) -> nn.Module:
    """An untrained network; raises UsageError for an architecture that does not exist."""
    if architecture not in ARCHITECTURES:
        raise UsageError(f"unknown network '{architecture}'; known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[architecture](classes=classes, **settings)
