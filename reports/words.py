"""What the pages say, in English and in the languages of the catalogues beside this file (zh.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
ENGLISH = "en"


class Message(str):
    """English text that remembers its template, so that it can be said in another language."""

    template: str
    values: dict[str, object]


class Joined(str):
    """Several texts in a row that are said one by one."""

    separator: str
    parts: tuple[str, ...]


def message(template: str, **values: object) -> str:
    """A Message: the template with its values filled in, as str.format does; values may be messages themselves.

    Without values the template is the text, whatever braces it has.
    """
    text = Message(template.format(**values) if values else template)
    text.template, text.values = template, values
    return text


def joined(separator: str, parts: Iterable[str]) -> str:
    """A Joined: the parts with a separator between them."""
    kept = tuple(parts)
    text = Joined(separator.join(kept))
    text.separator, text.parts = separator, kept
    return text


def say(text: str, language: str) -> str:
    """A text of ours in a language; what the catalogue lacks stays English."""
    if language == ENGLISH:
        return text
    words = catalogue(language)
    if isinstance(text, Joined):
        return words.get(text.separator, text.separator).join(say_marked(part, language) for part in text.parts)
    if isinstance(text, Message):
        values = {
            name: say_marked(value, language) if isinstance(value, str) else value
            for name, value in text.values.items()
        }
        template = words.get(text.template, text.template)
        return template.format(**values) if values else template
    return words.get(text, text)


def say_marked(text: str, language: str) -> str:
    """The same for text that may be data: only what is marked as ours is translated."""
    return say(text, language) if isinstance(text, (Message, Joined)) else text


@cache
def catalogue(language: str) -> dict[str, str]:
    """English template -> template of that language."""
    words: dict[str, str] = tomllib.loads((_HERE / f"{language}.toml").read_text(encoding="utf-8"))
    return words


def languages() -> tuple[str, ...]:
    """English and every language that has a catalogue."""
    return (ENGLISH, *sorted(path.stem for path in _HERE.glob("*.toml")))
