"""Computes the sentence vectors of tokenised texts, with a base model's own pooling."""

from __future__ import annotations

import numpy as np
import torch
from safetensors import safe_open
from torch import nn

from bench.classifiers.embedding import SentenceEncoder
from bench.classifiers.pretrained import load_pretrained
from bench.types import BaseWeights, Progress
from trainers.loop.batches import TokenisedSplit, evaluation_batches

REPORT_EVERY_BATCHES = 4


def sentence_encoder(base: BaseWeights, normalise: bool) -> SentenceEncoder:
    """The base model and its pooling; raises NotAvailable or AssetError where it cannot be had."""
    from transformers import AutoModel

    return SentenceEncoder(load_pretrained(AutoModel, base.path, base.name), base.pooling, normalise)


def embed(encoder: nn.Module, tokens: TokenisedSplit, device: str, bf16: bool, progress: Progress) -> np.ndarray:
    """Sentence vectors float32 (n, d), in the split's order.

    Batches of like length; bf16 where it is fast (the head is fitted on what bf16 gives, the engines serve fp32).
    """
    encoder = encoder.to(device).eval()
    vectors: np.ndarray | None = None
    done = 0
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=bf16):
        for number, rows in enumerate(evaluation_batches(tokens.lengths)):
            input_ids, attention_mask, _ = tokens.batch(rows, device)
            part = encoder(input_ids, attention_mask).float().cpu().numpy()
            if vectors is None:
                vectors = np.empty((len(tokens), part.shape[1]), dtype=np.float32)
            vectors[rows] = part
            done += len(rows)
            if number % REPORT_EVERY_BATCHES == 0:
                progress("computing sentence vectors", done, len(tokens))
    assert vectors is not None  # noqa: S101 - a split is never empty
    return vectors


def stored_parameters(base: BaseWeights) -> int:
    """Numbers in the encoder's file, read from its header."""
    total = 0
    for path in base.path.glob("model*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            total += sum(int(np.prod(file.get_slice(name).get_shape())) for name in file.keys())  # noqa: SIM118
    return total
