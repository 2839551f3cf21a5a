"""Turns training texts into token ids, once, and into the batches of an epoch, grouped by length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from bench.text.batching import pack, pad
from bench.text.tokens import TextTokenizer
from bench.types import Split

GROUP_BATCHES = 50
EVALUATION_TOKENS = 4096
EVALUATION_ROWS = 64


@dataclass(frozen=True)
class TokenisedSplit:
    """Token ids of n texts and their labels int64 (n,); soft: a teacher's probabilities float32 (n, k)."""

    ids: list[list[int]]
    lengths: np.ndarray
    labels: np.ndarray
    pad_id: int
    soft: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def batch(self, rows: np.ndarray, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """input_ids and attention_mask int64 (b, t), padded to the longest row, and labels int64 (b,)."""
        input_ids, attention_mask = pad(self.ids, rows, self.pad_id)
        return (
            torch.from_numpy(input_ids).to(device),
            torch.from_numpy(attention_mask).to(device),
            torch.from_numpy(self.labels[rows]).to(device),
        )

    def soft_targets(self, rows: np.ndarray, device: str) -> torch.Tensor | None:
        """The teacher's probabilities float32 (b, k); None without a teacher."""
        return None if self.soft is None else torch.from_numpy(self.soft[rows]).to(device)


def tokenise(split: Split, tokenizer: TextTokenizer) -> TokenisedSplit:
    """Tokenise a split once, for all epochs and evaluations."""
    encoded = tokenizer.encode(split.texts)
    return TokenisedSplit(encoded.ids, encoded.lengths, split.labels, tokenizer.pad_id)


def grouped_batches(lengths: np.ndarray, batch_size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """An epoch's batches: rows shuffled, sorted by length within groups of 50 batches, batches shuffled again.

    Random enough to train on and with little padding, as in the library's group_by_length sampler.
    """
    rows = generator.permutation(len(lengths))
    group = batch_size * GROUP_BATCHES
    batches: list[np.ndarray] = []
    for start in range(0, len(rows), group):
        part = rows[start : start + group]
        part = part[np.argsort(-lengths[part], kind="stable")]
        batches += [part[at : at + batch_size] for at in range(0, len(part), batch_size)]
    return [batches[at] for at in generator.permutation(len(batches))]


def evaluation_batches(lengths: np.ndarray) -> Iterator[np.ndarray]:
    """All rows once, packed by length."""
    yield from pack(lengths, token_budget=EVALUATION_TOKENS, max_batch=EVALUATION_ROWS)
