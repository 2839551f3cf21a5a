"""Says what the pages say in English and in the languages of the catalogues beside this file (zh.toml)."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

from bench.messages import Joined, Message, joined, message

_HERE = Path(__file__).parent
ENGLISH = "en"

__all__ = ["ENGLISH", "Joined", "Message", "catalogue", "joined", "languages", "message", "say", "say_marked"]


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
