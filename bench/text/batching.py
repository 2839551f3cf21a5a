"""Puts texts of different lengths into padded batches: the one place that decides who is computed with whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

Order = Literal["sorted", "given"]


def pack(
    lengths: np.ndarray, token_budget: int, max_batch: int, order: Order = "sorted", equal_lengths: bool = False
) -> list[np.ndarray]:
    """Cut rows into batches of at most `token_budget` tokens, padding counted, and `max_batch` rows.

    lengths int (n,) in tokens; returns int64 positions into it, every row in exactly one batch. "sorted" puts rows of
    like length together, longest first, so that memory peaks in the first batch; "given" keeps the order. A row longer
    than the budget is a batch of its own. With `equal_lengths` no batch needs padding.
    """
    rows = np.argsort(-lengths, kind="stable") if order == "sorted" else np.arange(len(lengths))
    batches: list[np.ndarray] = []
    start = longest = 0
    for end, length in enumerate(lengths[rows].tolist()):
        widened = max(longest, length)
        count = end - start + 1
        other = equal_lengths and length != longest
        if count > 1 and (other or count > max_batch or count * widened > token_budget):
            batches.append(rows[start:end])
            start, widened = end, length
        longest = widened
    if len(rows):
        batches.append(rows[start:])
    return batches


def pad(
    ids: Sequence[Sequence[int]], rows: np.ndarray, pad_id: int, multiple: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Token ids of the chosen rows, padded on the right to the longest, rounded up to a multiple.

    rows int (b,); returns input_ids and attention_mask, both int64 (b, t).
    """
    lengths = [len(ids[row]) for row in rows]
    width = -(-max(lengths) // multiple) * multiple
    input_ids = np.full((len(lengths), width), pad_id, dtype=np.int64)
    attention_mask = np.zeros((len(lengths), width), dtype=np.int64)
    for index, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        input_ids[index, :length] = ids[row]
        attention_mask[index, :length] = 1
    return input_ids, attention_mask
