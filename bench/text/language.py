"""A data set's language, as far as the choice of a base model needs it."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SAMPLED_TEXTS = 1000
_SAMPLED_CHARACTERS = 500
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af]")
_ASCII = re.compile(r"[A-Za-z]")


def detect_language(texts: Sequence[str]) -> str:
    """Return "zh", "en" or "multi": mostly Han without kana or hangul, over 97 % ASCII letters, or anything else.

    Counts letters of a thousand texts spread evenly over the data. Languages written in plain ASCII (Indonesian,
    unaccented Spanish) pass as "en"; `dataset.json` with a "language" overrules the guess.
    """
    step = max(1, len(texts) // _SAMPLED_TEXTS)
    sample = "".join(text[:_SAMPLED_CHARACTERS] for text in texts[::step])
    letters = sum(map(str.isalpha, sample))
    if not letters:
        return "multi"
    if len(_HAN.findall(sample)) > 0.3 * letters and len(_KANA_HANGUL.findall(sample)) < 0.05 * letters:
        return "zh"
    return "en" if len(_ASCII.findall(sample)) > 0.97 * letters else "multi"


def is_spaceless(language: str) -> bool:
    """Whether a language writes no spaces between words, so that characters stand for them."""
    return language in ("zh", "ja", "th")
