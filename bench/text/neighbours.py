"""Finds the training texts nearest to a text, to show them in its prompt with their answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import AssetError
from bench.types import Classifier

EXAMPLES = "examples.json"
WORD = r"(?u)\w+"  # single letters and digits too


def same_text(text: str) -> str:
    """What two texts have in common that differ in case and spaces alone."""
    return " ".join(text.casefold().split())


@dataclass(frozen=True)
class Examples:
    """Training texts, how each is shown, and the answer behind it; `count` of them stand before every text.

    before, after: what stands around an example's text; lead: what stands between the examples and the text that is
    asked about. Near are texts of many rare words (or pairs of characters) in common: TF-IDF, cosine.
    """

    texts: tuple[str, ...]
    shown: tuple[str, ...]
    answers: tuple[str, ...]
    count: int
    by_character: bool
    before: str
    after: str
    lead: str

    def before_text(self, text: str, count: int | None = None) -> str:
        """The examples, the nearest last, and the lead; never the text itself."""
        nearest = self._nearest(text, self.count if count is None else count)
        blocks = (f"{self.before}{self.shown[row]}{self.after}{self.answers[row]}\n\n" for row in reversed(nearest))
        return "".join(blocks) + self.lead

    def save(self, folder: Path) -> None:
        """Write them into a classifier's folder."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        (folder / EXAMPLES).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    def _nearest(self, text: str, count: int) -> list[int]:
        if not count:
            return []
        vectoriser, rows = self._index
        scores = np.asarray((rows @ vectoriser.transform([text]).T).todense()).ravel()
        itself = same_text(text)
        found: list[int] = []
        for row in np.argsort(-scores, kind="stable").tolist():
            if self._same[row] != itself:
                found.append(row)
            if len(found) == count:
                break
        return found

    @cached_property
    def _index(self) -> tuple[Any, Any]:
        from sklearn.feature_extraction.text import TfidfVectorizer

        analyser, ngrams = ("char", (1, 2)) if self.by_character else ("word", (1, 1))
        vectoriser = TfidfVectorizer(
            analyzer=analyser, ngram_range=ngrams, token_pattern=WORD, sublinear_tf=True, dtype=np.float64
        )
        return vectoriser, vectoriser.fit_transform(self.texts)

    @cached_property
    def _same(self) -> Sequence[str]:
        return list(map(same_text, self.texts))


def read_examples(classifier: Classifier) -> Examples | None:
    """The examples of a classifier's folder; None where its prompt has none that depend on the text."""
    if not classifier.manifest.settings.get("nearest"):
        return None
    try:
        content = json.loads((classifier.path / EXAMPLES).read_text(encoding="utf-8"))
        known: dict[str, Any] = {key: tuple(part) if isinstance(part, list) else part for key, part in content.items()}
        return Examples(**known)
    except (OSError, ValueError, TypeError) as error:
        raise AssetError(
            f"{classifier.path / EXAMPLES} cannot be read ({error}); train the classifier again"
        ) from error
