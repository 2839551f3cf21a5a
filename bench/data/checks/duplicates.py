"""Finds texts that stand in the data twice, exactly or nearly, with one label or with two."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PERMUTATIONS = 64
SIMILAR = 0.8  # Jaccard similarity of the shingles from which two texts count as nearly the same
CANDIDATE = 0.6  # what the hashes look for: lower, so that hardly a similar pair slips through them
SHINGLE_CHARACTERS = 6
MOST_SHINGLES = 400
MOST_TEXTS = 20_000  # beyond them MinHash takes minutes; the first of a stratified order stand for all


@dataclass(frozen=True)
class Pair:
    """Two rows whose texts are the same, or nearly: `similarity` is 1.0 where only case, spaces or signs differ."""

    first: int
    second: int
    similarity: float


@dataclass(frozen=True)
class Duplicates:
    """Groups of rows with one text, and pairs of rows with nearly one; rows number all parts in a row."""

    groups: tuple[tuple[int, ...], ...]
    near: tuple[Pair, ...]
    searched: int


def find_duplicates(texts: Sequence[str]) -> Duplicates:
    """Exact duplicates of all texts (but for case, spaces and signs), near ones of the first MOST_TEXTS."""
    normal = [plain(text) for text in texts]
    rows: dict[str, list[int]] = defaultdict(list)
    for row, text in enumerate(normal):
        rows[text].append(row)
    groups = tuple(tuple(group) for group in rows.values() if len(group) > 1)
    firsts = [group[0] for group in rows.values() if group[0] < MOST_TEXTS]
    return Duplicates(groups, tuple(_near(normal, firsts)), min(len(texts), MOST_TEXTS))


def plain(text: str) -> str:
    """A text without case, signs and spaces at its ends; one space between words."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", folded)) or folded.strip()


def _near(texts: Sequence[str], rows: Sequence[int]) -> list[Pair]:
    """Pairs by MinHash and locality-sensitive hashing (datasketch), each confirmed by its true similarity."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=CANDIDATE, num_perm=PERMUTATIONS)
    shingles = {row: _shingles(texts[row]) for row in rows}
    hashes = MinHash.bulk([shingles[row] for row in rows], num_perm=PERMUTATIONS, hashfunc=_hash)
    pairs = []
    for row, hashed in zip(rows, hashes, strict=True):
        for other in index.query(hashed):
            shared = len(shingles[row] & shingles[other])
            similarity = shared / len(shingles[row] | shingles[other])
            if similarity >= SIMILAR:
                pairs.append(Pair(int(other), row, similarity))
        index.insert(row, hashed, check_duplication=False)
    return sorted(pairs, key=lambda pair: -pair.similarity)


def _shingles(text: str) -> set[bytes]:
    last = max(1, len(text) - SHINGLE_CHARACTERS + 1)
    step = max(1, last // MOST_SHINGLES) if last > MOST_SHINGLES else 1
    if step > 1:  # long texts by their words, which are fewer
        words = text.split()
        if len(words) > MOST_SHINGLES // 2:
            return {" ".join(words[at : at + 2]).encode() for at in range(len(words) - 1)}
    return {text[at : at + SHINGLE_CHARACTERS].encode() for at in range(last)}


def _hash(shingle: bytes) -> int:
    """32 bits of a shingle; zlib's sum is fast and the same on every machine."""
    import zlib

    return zlib.crc32(shingle)


def conflicting(groups: Sequence[Sequence[int]], labels: np.ndarray) -> list[tuple[int, ...]]:
    """The groups of one text whose labels, int64 (n,), differ."""
    return [tuple(group) for group in groups if len(set(labels[list(group)].tolist())) > 1]
