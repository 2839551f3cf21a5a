"""Makes English text that remembers what it was made of, so that a report can say it in another language."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import InstanceOf

Said = InstanceOf[str]  # a field of a record that keeps its Message; stored as the English text


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
