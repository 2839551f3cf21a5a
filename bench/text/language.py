"""Finds a data set's language by its scripts, as far as base models and tokens depend on it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

_SAMPLED_TEXTS = 1000
_SAMPLED_CHARACTERS = 500
# Scripts that write no spaces between words, by the first word of their letters' Unicode names, and the language they
# stand for here; Han is Chinese unless kana is among it.
_SPACELESS = {"THAI": "th", "LAO": "lo", "KHMER": "km", "MYANMAR": "my", "TIBETAN": "bo", "CJK": "zh"}
_KANA = ("HIRAGANA", "KATAKANA")
SPACELESS_LANGUAGES = frozenset({*_SPACELESS.values(), "ja", "yue", "wuu", "lzh", "dz", "shn"})


def detect_language(texts: Sequence[str]) -> str:
    """Return the language of a script without spaces ("zh", "ja", "th", "lo", "km", "my", "bo"), "en" or "multi".

    "en" is over 97 % ASCII letters, "multi" anything else. Counts letters of a thousand texts spread evenly over the
    data. Languages written in plain ASCII (Indonesian, unaccented Spanish) pass as "en"; `--language`, or
    `dataset.json` with a "language", overrules the guess.
    """
    step = max(1, len(texts) // _SAMPLED_TEXTS)
    characters = Counter("".join(text[:_SAMPLED_CHARACTERS] for text in texts[::step]))
    letters = {character: count for character, count in characters.items() if character.isalpha()}
    total = sum(letters.values())
    if not total:
        return "multi"
    scripts: Counter[str] = Counter()
    for letter, count in letters.items():
        scripts[unicodedata.name(letter, "UNKNOWN").split()[0]] += count
    kana, han = sum(scripts[script] for script in _KANA), scripts["CJK"]
    if kana > 0.05 * total and kana + han > 0.3 * total:
        return "ja"
    script = max(_SPACELESS, key=lambda name: scripts[name])
    if scripts[script] > 0.3 * total and scripts["HANGUL"] < 0.05 * total:
        return _SPACELESS[script]
    return "en" if sum(count for letter, count in letters.items() if letter.isascii()) > 0.97 * total else "multi"


def is_spaceless(language: str) -> bool:
    """Whether a language writes no spaces between words, so that characters stand for them; "zh-Hant" is "zh"."""
    return language.lower().replace("_", "-").partition("-")[0] in SPACELESS_LANGUAGES


def lacks_words(texts: Sequence[str], share: float = 0.05) -> bool:
    """Whether more than `share` of the texts hold no word of two letters or digits: emoji, signs, single letters.

    A bag of words, which leaves such words out (scikit-learn's pattern), sees nothing in them.
    """
    without = sum(not _has_word(text) for text in texts)
    return without > share * len(texts)


def _has_word(text: str) -> bool:
    run = 0
    for character in text:
        run = run + 1 if character.isalnum() or character == "_" else 0
        if run == 2:
            return True
    return False
