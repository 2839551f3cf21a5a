"""Counts how long texts are, in words and in the tokens of models that are on this machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.text.language import is_spaceless
from bench.types import Record


class Lengths(Record):
    """How long texts are: the middle one, the longest of 95 % and the longest of all."""

    unit: str
    median: int
    p95: int
    longest: int


class Cut(Record):
    """How much a model leaves of the texts: its tokens, and the share of texts that are longer than it reads."""

    model: str
    reads: int
    tokens: Lengths
    cut: float


def count_words(texts: Sequence[str], language: str) -> Lengths:
    """Words of each text, or characters where a language writes no spaces."""
    spaceless = is_spaceless(language)
    counts = np.array([len(text) if spaceless else len(text.split()) for text in texts])
    return summary(counts, "characters" if spaceless else "words")


def summary(counts: np.ndarray, unit: str) -> Lengths:
    """Lengths int (n,) in short."""
    return Lengths(
        unit=unit, median=int(np.median(counts)), p95=int(np.percentile(counts, 95)), longest=int(counts.max())
    )
