"""Prepares text for a terminal or a pipe: control characters become visible, letters it lacks are spelt otherwise."""

from __future__ import annotations

import codecs
import json
import sys
import unicodedata
from io import TextIOWrapper
from typing import Any, TextIO

STAND_INS = {
    "±": "+-",
    "…": "...",
    "–": "-",
    "—": "-",
    "→": "->",
    "≥": ">=",
    "≤": "<=",
    "×": "x",
    "·": ".",
    "•": "*",
    "⠋": "*",
    "━": "-",
    "╸": "-",
    "─": "-",
    "\u2068": "",
    "\u2069": "",
}
_HANDLER = "bench-stand-ins"


def visible(text: str) -> str:
    """The text in one line, control and direction characters written out as \\x1b: none of them reaches a terminal."""
    return " ".join(written_out(text).split())


def written_out(text: str) -> str:
    """The same with its lines and spaces as they are."""
    return text if text.isprintable() else "".join(map(_written_out, text))


def _written_out(letter: str) -> str:
    if letter.isspace() and letter not in "\x1c\x1d\x1e\x1f\x85":
        return letter
    hidden = unicodedata.category(letter) in {"Cc", "Cf", "Cs"} and letter not in "\u200c\u200d"
    return letter.encode("unicode_escape").decode("ascii") if hidden else letter


def make_streams_safe() -> None:
    """Let standard output and error take any text: what their encoding lacks is spelt otherwise, never an exception."""
    codecs.register_error(_HANDLER, _spell)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors=_HANDLER)


def holds_any_text(stream: TextIO) -> bool:
    """Whether its encoding has every letter; data of any other, spelt otherwise, would be other data."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().startswith("utf")


def print_json(content: Any) -> None:
    """JSON on standard output; letters that its encoding lacks stand in it by their numbers, as JSON has them."""
    sys.stdout.write(json.dumps(content, ensure_ascii=not holds_any_text(sys.stdout), indent=1) + "\n")


def _spell(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(STAND_INS.get(letter, _escaped(letter)) for letter in letters), error.end


def _escaped(letter: str) -> str:
    return letter.encode("ascii", "backslashreplace").decode("ascii")
