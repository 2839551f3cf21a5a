"""Trains an encoder without the rows of its vocabulary that no text reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from bench.classifiers.sequence import SequenceModule
from trainers.cpu.unpadded_bert import PackedBert
from trainers.loop.batches import TokenisedSplit


@contextmanager
def read_rows_only(
    module: SequenceModule, train: TokenisedSplit, validation: TokenisedSplit, test: TokenisedSplit | None = None
) -> Iterator[tuple[TokenisedSplit, TokenisedSplit, TokenisedSplit | None]]:
    """Within the block the word embedding holds the rows of the splits only, and their tokens count those rows.

    Of multilingual-e5-small's 118 million weights 96 are rows of its vocabulary; the gradient's zeros and the
    optimiser took half of a step for them. A row that no text reads has no gradient: it stays as it is, where AdamW
    over the whole table would shrink it by learning rate x weight decay a step. Only for PackedBert, which reads token
    ids for nothing but this table; for other modules, and where the table is not trained, the splits stay as they are.
    """
    embeddings = module.model.bert.embeddings if isinstance(module, PackedBert) else None
    if embeddings is None or not embeddings.word_embeddings.weight.requires_grad:
        yield train, validation, test
        return
    whole = embeddings.word_embeddings
    rows = np.unique(
        np.concatenate([np.asarray(ids) for split in (train, validation, test) if split for ids in split.ids])
    )
    read = torch.from_numpy(rows)
    embeddings.word_embeddings = nn.Embedding.from_pretrained(whole.weight.detach()[read], freeze=False)
    try:
        yield _renumber(train, rows), _renumber(validation, rows), test and _renumber(test, rows)
    finally:
        with torch.no_grad():
            whole.weight[read] = embeddings.word_embeddings.weight
        embeddings.word_embeddings = whole


def _renumber(split: TokenisedSplit, rows: np.ndarray) -> TokenisedSplit:
    """Padding becomes row 0: the packed module computes no padding."""
    return replace(split, ids=[np.searchsorted(rows, ids).tolist() for ids in split.ids], pad_id=0)
