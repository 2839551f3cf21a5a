"""Learns the vocabulary of a network from scratch: words, characters or subwords of the training texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import DataError
from bench.text.language import is_spaceless, lacks_spaces
from bench.types import Dataset

if TYPE_CHECKING:
    from trainers.network import NetworkParams

SPECIAL = ["[PAD]", "[UNK]"]


def learn_vocabulary(data: Dataset, params: NetworkParams, path: Path) -> int:
    """Write a tokenizer.json learnt from the training texts; returns the number of entries."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    kind = params.tokens
    if kind == "auto":
        spaceless = is_spaceless(data.language) or lacks_spaces(data.train.texts)
        kind = "character" if spaceless else "word"
    options: dict[str, Any] = {
        "vocab_size": params.vocabulary_size,
        "min_frequency": params.min_frequency,
        "special_tokens": SPECIAL,
        "show_progress": False,
    }
    trainer: Any
    if kind == "subword":
        tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))  # noqa: S106 - not a password
        trainer = trainers.BpeTrainer(**options)
    else:
        tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))  # noqa: S106 - not a password
        trainer = trainers.WordLevelTrainer(**options)
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Split(Regex(r"\S"), behavior="isolated") if kind == "character" else pre_tokenizers.Whitespace()
    )
    tokenizer.train_from_iterator(data.train.texts, trainer)
    tokenizer.save(str(path))
    return int(tokenizer.get_vocab_size())


def load_vectors(file: str, tokenizer_json: Path, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows int64 (m,) of the vocabulary that the file has vectors for, and the vectors float32 (m, width).

    The format of GloVe and word2vec's text files: a word and its numbers a line; a first line of two counts is skipped.
    Raises DataError when the file cannot be read, has vectors of another width, or knows no word.
    """
    from tokenizers import Tokenizer

    path = Path(file).expanduser()
    vocabulary = Tokenizer.from_file(str(tokenizer_json)).get_vocab()
    rows: list[int] = []
    vectors: list[np.ndarray] = []
    try:
        for line, word, numbers in _lines(path):
            if len(numbers) != width:
                raise DataError(
                    f"{path}, line {line}: {len(numbers)} numbers, but width = {width}; --set width={len(numbers)}"
                )
            if word in vocabulary:
                rows.append(vocabulary[word])
                vectors.append(np.array(numbers, dtype=np.float32))
    except OSError as error:
        raise DataError(f"vectors_file {path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(
            f"vectors_file {path} holds no word vectors ({error}); a word and its numbers a line"
        ) from error
    if not rows:
        raise DataError(f"vectors_file {path} knows no word of the training texts; is it of another language?")
    return np.array(rows, dtype=np.int64), np.stack(vectors)


def _lines(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            word, *numbers = text.rstrip().split(" ")
            if number == 1 and len(numbers) == 1:
                continue
            yield number, word, numbers
