"""Computes sentence vectors of a frozen or trained encoder, and a head on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from bench.classifiers.body import POOLING, hidden_states
from bench.errors import UsageError


class SentenceEncoder(nn.Module):
    """An encoder and its pooling: sentence vectors float32 (b, d)."""

    def __init__(self, encoder: Any, pooling: str, normalise: bool) -> None:
        super().__init__()
        if pooling not in POOLING:
            raise UsageError(f"unknown pooling '{pooling}'; known: {', '.join(sorted(POOLING))}")
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # its output is not used, and some checkpoints have no weights for it
        self.encoder = encoder
        self.pool = POOLING[pooling]
        self.normalise = normalise

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = hidden_states(self.encoder, input_ids, attention_mask)
        vectors = self.pool(hidden, attention_mask).float()
        return nn.functional.normalize(vectors, dim=-1) if self.normalise else vectors


class EmbeddingModule(nn.Module):
    """Sentence vectors and a head, which stays float32."""

    def __init__(self, sentence_encoder: SentenceEncoder, head: nn.Module) -> None:
        super().__init__()
        self.sentence_encoder = sentence_encoder
        self.head = head

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.sentence_encoder(input_ids, attention_mask)).float()


def make_head(weights: Mapping[str, Tensor]) -> nn.Sequential:
    """Linear layers with ReLU between them: weights "0.weight" float32 (h, d), "0.bias" (h,), then "2.weight" ..."""
    layers: list[nn.Module] = []
    for at in sorted({int(name.partition(".")[0]) for name in weights}):
        rows, columns = weights[f"{at}.weight"].shape
        layers += [*([nn.ReLU()] if layers else []), nn.Linear(columns, rows)]
    head = nn.Sequential(*layers)
    head.load_state_dict(dict(weights))
    return head
