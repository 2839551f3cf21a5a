"""Compares a fast tokenizer that was made of a vocabulary with the slow one of the same file, on 1,000 texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import AssetError

SENTENCEPIECE = ("spm.model", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model")
WORDPIECE = "vocab.txt"
TEXTS = 1000
REFUSED_SHARE = 0.01  # more than that is another tokenizer; below are spaces and signs that libraries fold differently
ODD = (
    "  two  spaces ",
    "tab\tand\nline",
    "Été à Zürich",
    "北京欢迎你",
    "ｆｕｌｌ width",
    "emoji 😀!",
    "a" * 200,
    "1,234.5 €",
    "x²",
    "",
)
SPACE = "\u2581"


def compare_with_slow(folder: Path, named: str) -> str:
    """What the result says of the comparison; raises AssetError where the two read texts differently.

    Texts are made of the vocabulary itself, so that every language that it knows occurs, and of awkward ones.
    """
    from tokenizers import Tokenizer

    fast = Tokenizer.from_file(str(folder / "tokenizer.json"))
    fast.no_truncation()
    source = next((name for name in (*SENTENCEPIECE, WORDPIECE) if (folder / name).is_file()), None)
    if source is None:
        return ""
    try:
        slow = WordPiece(folder) if source == WORDPIECE else SentencePiece(folder / source)
    except ImportError as error:
        return f"tokenizer made of {source}, not compared with the slow one ({error.name} is not installed)"
    texts = list(_texts(slow.pieces))
    differing = [text for text in texts if not slow.reads_alike(fast, text)]
    if differing and isinstance(slow, SentencePiece) and slow.give_normaliser(fast):
        left = [text for text in texts if not slow.reads_alike(fast, text)]
        if len(left) < len(differing):
            differing = left
            fast.save(str(folder / "tokenizer.json"))
    if len(differing) > REFUSED_SHARE * len(texts):
        raise AssetError(
            f"{named}: the fast tokenizer made of {source} reads {len(differing)} of {len(texts):,} texts differently "
            f"from the slow one, such as {differing[0][:40]!r}; give the model a tokenizer.json"
        )
    return (
        f"tokenizer made of {source}; {len(texts) - len(differing):,} of {len(texts):,} texts read as the slow one does"
    )


def _texts(pieces: list[str]) -> Iterator[str]:
    yield from ODD
    random = np.random.RandomState(0)
    for _ in range(TEXTS - len(ODD)):
        chosen = random.choice(len(pieces), random.randint(1, 25))
        yield " ".join("".join(pieces[at] for at in chosen).split())


class SentencePiece:
    """The model by its own library; ids of the fast one may all be moved on by the same number (XLM-RoBERTa)."""

    def __init__(self, path: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        self._model: Any = SentencePieceProcessor(model_file=str(path))
        ids = range(self._model.get_piece_size())
        plain = [
            at
            for at in ids
            if not (self._model.is_control(at) or self._model.is_unknown(at) or self._model.is_byte(at))
        ]
        self.pieces = [self._model.id_to_piece(at).replace(SPACE, " ") for at in plain]
        self._moved: int | None = None

    def give_normaliser(self, fast: Any) -> bool:
        """Let the fast tokenizer fold signs (NFKC and the like) as the model's file says, where it has lost that."""
        from sentencepiece import sentencepiece_model_pb2
        from tokenizers import normalizers

        generated: Any = sentencepiece_model_pb2  # protobuf makes its names at run time
        content = generated.ModelProto()
        content.ParseFromString(self._model.serialized_model_proto())
        folding = content.normalizer_spec.precompiled_charsmap
        if not folding:
            return False
        others = [fast.normalizer] if fast.normalizer is not None else []
        fast.normalizer = normalizers.Sequence([normalizers.Precompiled(folding), *others])
        return True

    def reads_alike(self, fast: Any, text: str) -> bool:
        """The same pieces, and for every known one the same id but for the move."""
        read = fast.encode(text, add_special_tokens=False)
        pieces, ids = self._model.encode(text, out_type=str), self._model.encode(text)
        known = [at for at, number in enumerate(ids) if not self._model.is_unknown(number)]
        if len(ids) != len(read.ids) or any(pieces[at] != read.tokens[at] for at in known):
            return False
        if self._moved is None and known:
            self._moved = read.ids[known[0]] - ids[known[0]]
        return all(read.ids[at] - ids[at] == self._moved for at in known)


class WordPiece:
    """BERT's slow tokenizer, which transformers keeps under another name."""

    def __init__(self, folder: Path) -> None:
        from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

        self._slow: Any = BertTokenizerLegacy.from_pretrained(folder, local_files_only=True)
        special = set(self._slow.all_special_tokens)
        self.pieces = [
            piece.removeprefix("##") if piece.startswith("##") else f" {piece}"
            for piece in self._slow.vocab
            if piece not in special
        ]

    def reads_alike(self, fast: Any, text: str) -> bool:
        """The same ids."""
        ids: list[int] = self._slow.convert_tokens_to_ids(self._slow.tokenize(text))
        return ids == fast.encode(text, add_special_tokens=False).ids
