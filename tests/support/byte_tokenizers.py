"""Byte-level tokenizers that spell any text, with a few merged words."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

END = 0


def byte_tokenizer(*merged: str) -> Tokenizer:
    """A byte-level BPE of single bytes, id 0 the end, and some merged words."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: row for row, token in enumerate(["<end>", *letters])}
    merges: list[tuple[str, str]] = []
    for word in merged:
        whole = word[0]
        for letter in word[1:]:
            if (whole, letter) not in merges:
                merges.append((whole, letter))
            whole += letter
            vocabulary.setdefault(whole, len(vocabulary))
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<end>"])
    return tokenizer
