"""Turns texts into token ids, the same for every trainer and every engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice, product, takewhile
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING
from weakref import WeakSet

import numpy as np

from bench.errors import AssetError, DataError, NotAvailable
from bench.text.neighbours import Examples, read_examples
from bench.types import Classifier

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

CACHED_WORDS = 10_000  # as many as a model of the tokenizers library keeps; a full cache takes no more in
PAD_TOKENS = ("[PAD]", "<pad>", "<|pad|>", "<|endoftext|>", "</s>")


@dataclass(frozen=True)
class Encoded:
    """Token ids of n texts, special tokens included; truncated bool (n,)."""

    ids: list[list[int]]
    truncated: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, int32 (n,)."""
        return np.fromiter(map(len, self.ids), dtype=np.int32, count=len(self.ids))

    @property
    def sha256(self) -> str:
        """Hex sha256 over the ids of every text, in order."""
        digest = sha256()
        for ids in self.ids:
            digest.update(len(ids).to_bytes(4, "little"))
            digest.update(np.asarray(ids, dtype="<i4").tobytes())
        return digest.hexdigest()


class TextTokenizer:
    """Reads `before + text + after` as one string and shortens only the text when it is too long.

    Text, prefix and suffix are tokenised together, because joining their tokens would give other ids at the seams.
    """

    def __init__(
        self, tokenizer: Tokenizer, max_length: int, before: str = "", after: str = "", examples: Examples | None = None
    ) -> None:
        """`examples` stand between `before` and each text, those nearest to it; as many as leave the text whole."""
        tokenizer.no_truncation()  # tokenizer.json files carry limits of their own that are not the classifier's
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.before = before
        self.after = after
        self.examples = examples
        self.pad_id = _pad_id(tokenizer)
        # only a suffix has to be found again in a truncated text, and only that needs the slower encoding with offsets
        self._encode_batch = tokenizer.encode_batch if after or examples else tokenizer.encode_batch_fast
        self._settled_by: tuple[str, ...] | None = None
        _in_use.add(self)
        lead = examples.lead if examples else ""
        fixed = len(tokenizer.encode(before + lead + after).ids)
        if fixed >= max_length:
            raise NotAvailable(f"the prompt alone has {fixed} tokens, no room for a text in {max_length}; shorten it")

    @classmethod
    def from_file(
        cls, tokenizer_json: Path, max_length: int, before: str = "", after: str = "", examples: Examples | None = None
    ) -> TextTokenizer:
        """From a tokenizer.json; raises AssetError when it is missing or cannot be read."""
        from tokenizers import Tokenizer

        if not tokenizer_json.is_file():
            raise AssetError(f"{tokenizer_json} is missing; train or copy the classifier again")
        try:
            tokenizer = Tokenizer.from_file(str(tokenizer_json))
        except Exception as error:  # the library raises bare Exception
            raise AssetError(
                f"{tokenizer_json} cannot be read ({error}); train or copy the classifier again"
            ) from error
        return cls(tokenizer, max_length, before, after, examples)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Token ids of every text; raises DataError for what is no valid Unicode text."""
        try:
            leads = [self.before_text(text) for text in texts]
            encodings = self._encode_batch([lead + text + self.after for lead, text in zip(leads, texts, strict=True)])
        except (TypeError, AttributeError) as error:
            raise DataError(_first_invalid(texts)) from error
        ids = [encoding.ids for encoding in encodings]
        truncated = np.zeros(len(ids), dtype=bool)
        for row, row_ids in enumerate(ids):
            if len(row_ids) > self.max_length:
                lead, encoding = self._with_fewer(texts[row], leads[row], encodings[row])
                ids[row] = encoding.ids
                if len(encoding.ids) > self.max_length:
                    ids[row] = self._cut(encoding, len(lead) + len(texts[row]))
                    truncated[row] = True
            elif not row_ids:  # an empty text of a tokenizer without special tokens
                ids[row] = [self.pad_id]
        return Encoded(ids, truncated)

    def before_text(self, text: str) -> str:
        """All that stands before a text."""
        return self.before + self.examples.before_text(text) if self.examples else self.before

    def _with_fewer(self, text: str, lead: str, encoding: Encoding) -> tuple[str, Encoding]:
        """The lead and the encoding with the farthest examples left out until the text is whole, or none is left."""
        for count in range(self.examples.count - 1, -1, -1) if self.examples else ():
            lead = self.before + self.examples.before_text(text, count)  # type: ignore[union-attr]
            encoding = self.tokenizer.encode(lead + text + self.after)
            if len(encoding.ids) <= self.max_length:
                break
        return lead, encoding

    def settle_cache(self, texts: Sequence[str]) -> None:
        """Let the cache of words hold what other texts left in it and nothing more, however often a text comes.

        That is a service that has run for a while and reads a new text; where a text is read a second time, an open
        cache makes its tokens in half the time.
        """
        model = self.tokenizer.model
        if self._settled_by == tuple(texts) or not hasattr(model, "_clear_cache"):
            return
        model._clear_cache()
        for text in texts:  # one by one: of threads that find the cache locked, words are dropped
            self.tokenizer.encode(self.before_text(text) + text + self.after)
        for word in _filling_words():
            model.tokenize(word)
        self._settled_by = tuple(texts)

    def cut_text(self, text: str) -> str:
        """The part of a text that is read: up to the end of its last token within the maximum length."""
        encoding = self.tokenizer.encode(self.before + text + self.after)
        if len(encoding.ids) <= self.max_length:
            return text
        last = self.max_length - self._tail(encoding, len(self.before) + len(text)) - 1
        return text[: encoding.offsets[last][1] - len(self.before)]

    def _cut(self, encoding: Encoding, text_end: int) -> list[int]:
        """Drop the text's last tokens; those of `after` and the closing special tokens stay."""
        ids: list[int] = encoding.ids
        tail = self._tail(encoding, text_end)
        return ids[: self.max_length - tail] + ids[len(ids) - tail :]

    def _tail(self, encoding: Encoding, text_end: int) -> int:
        """How many tokens at the end are not the text's."""
        backwards = zip(reversed(encoding.sequence_ids), reversed(encoding.offsets), strict=True)
        return sum(1 for _ in takewhile(lambda token: token[0] is None or token[1][1] > text_end, backwards))


_in_use: WeakSet[TextTokenizer] = WeakSet()


def settle_caches(texts: Sequence[str]) -> None:
    """Settle the cache of every tokenizer of this process by these texts, which none of the timed ones may be."""
    for tokenizer in list(_in_use):
        tokenizer.settle_cache(texts)


def _filling_words() -> list[str]:
    """As many words as a cache has room for, none of which is a word."""
    return ["qzx" + "".join(letters) for letters in islice(product(ascii_lowercase, repeat=3), CACHED_WORDS)]


def load_tokenizer(classifier: Classifier) -> TextTokenizer:
    """The tokenizer a classifier folder carries, with its maximum length and its fixed text around the input."""
    manifest = classifier.manifest
    if manifest.max_length is None:
        raise AssetError(f"{classifier.path}/manifest.json has no max_length; train the classifier again")
    before, after = manifest.settings.get("before", ""), manifest.settings.get("after", "")
    examples = read_examples(classifier)
    return TextTokenizer.from_file(classifier.path / "tokenizer.json", manifest.max_length, before, after, examples)


def _pad_id(tokenizer: Tokenizer) -> int:
    """Any id of the vocabulary would do: padding is masked, and no module looks for it."""
    found = (tokenizer.token_to_id(token) for token in PAD_TOKENS)
    return next((token_id for token_id in found if token_id is not None), 0)


def _first_invalid(texts: Sequence[str]) -> str:
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            return f"text {position} is a {type(text).__name__}, not a string; give every row a text"
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return f"text {position} is not valid Unicode; save the file as UTF-8"
    return "a text cannot be tokenised; give every row a text"
