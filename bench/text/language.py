"""Finds a data set's language by its scripts, as far as base models and tokens depend on it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from bench.errors import DataError

_SAMPLED_TEXTS = 1000
_SAMPLED_CHARACTERS = 500
# Scripts that write no spaces between words, by the first word of their letters' Unicode names, and the language they
# stand for here; Han is Chinese unless kana is among it.
_SPACELESS = {"THAI": "th", "LAO": "lo", "KHMER": "km", "MYANMAR": "my", "TIBETAN": "bo", "CJK": "zh"}
_KANA = ("HIRAGANA", "KATAKANA")
_SPACELESS_LETTER = re.compile(
    "[\u0e01-\u0eff\u0f40-\u0fbc\u1000-\u109f\u1780-\u17d3\u3005-\u3007\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U000323af]"
)
SPACELESS_LANGUAGES = frozenset({*_SPACELESS.values(), "ja", "yue", "wuu", "lzh", "dz", "shn"})
# What people write for the languages that make a difference here.
_OTHER_NAMES = {
    "zh": ("zho", "chi", "cmn", "cn", "chinese"),
    "ja": ("jpn", "jp", "japanese"),
    "th": ("tha", "thai"),
    "lo": ("lao",),
    "km": ("khm", "khmer"),
    "my": ("mya", "bur", "burmese", "myanmar"),
    "bo": ("bod", "tib", "tibetan"),
    "en": ("eng", "english"),
}
_CODES = {other: code for code, others in _OTHER_NAMES.items() for other in others}
_CODE = re.compile(r"[a-z]{2,3}|multi(lingual)?")


def detect_language(texts: Sequence[str]) -> str:
    """Return the language of a script without spaces ("zh", "ja", "th", "lo", "km", "my", "bo"), "en" or "multi".

    "en" is over 97 % ASCII letters, "multi" anything else. Counts letters of a thousand texts spread evenly over the
    data. Languages written in plain ASCII (Indonesian, unaccented Spanish) pass as "en"; `--language`, or
    `dataset.json` with a "language", overrules the guess.
    """
    step = max(1, len(texts) // _SAMPLED_TEXTS)
    characters = Counter("".join(text[:_SAMPLED_CHARACTERS] for text in texts[::step]))
    letters: Counter[str] = Counter()
    for character, count in characters.items():
        if character.isalpha():
            letters[unicodedata.normalize("NFKC", character)[0]] += count  # wide and narrow forms are the same letters
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


def language_code(given: str) -> str:
    """The code of a language as people name it: "zh" for zh-Hant, zh_CN, zho or Chinese; raises DataError for none."""
    first = given.strip().lower().replace("_", "-").partition("-")[0]
    code = _CODES.get(first, first)
    if not _CODE.fullmatch(code):
        raise DataError(f"language '{given}': expected a code such as en, zh, ja, th, de")
    return code


def is_spaceless(language: str) -> bool:
    """Whether a language writes no spaces between words, so that characters stand for them."""
    return language_code(language) in SPACELESS_LANGUAGES


def lacks_spaces(texts: Sequence[str], share: float = 0.05) -> bool:
    """Whether more than `share` of the texts are mostly in a script without spaces, whatever the others are in."""
    return sum(map(_is_spaceless_text, texts)) > share * len(texts)


def lacks_words(texts: Sequence[str], share: float = 0.05) -> bool:
    """Whether more than `share` of the texts hold no word of two letters or digits: emoji, signs, one word a sentence.

    A bag of words, which leaves single letters out (scikit-learn's pattern), sees nothing in them, and nothing that two
    texts share where there are no spaces.
    """
    without = sum(not _has_word(text) or _is_spaceless_text(text) for text in texts)
    return without > share * len(texts)


def _is_spaceless_text(text: str) -> bool:
    """Whether most of its letters are of scripts without spaces; the first look tells most texts."""
    if _SPACELESS_LETTER.search(text) is None:
        return False
    spaceless = len(_SPACELESS_LETTER.findall(text))
    others = sum(character.isalpha() for character in _SPACELESS_LETTER.sub("", text))
    return spaceless > others


def _has_word(text: str) -> bool:
    run = 0
    for character in text:
        run = run + 1 if character.isalnum() or character == "_" else 0
        if run == 2:
            return True
    return False
