"""Makes other people's words safe to print: one line, no control characters, no markup."""

from __future__ import annotations

import re
import unicodedata

from markdown_it import MarkdownIt

_KEPT_FORMAT_CHARACTERS = "\u200c\u200d"  # the joiners that Persian, Indic scripts and emoji are spelt with
# At a word's edge a joiner would join what stands beside the cell.
_LOOSE_JOINERS = re.compile(r"(?<!\S)[\u200c\u200d]+|[\u200c\u200d]+(?!\S)")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"

# An underscore inside a word means nothing to markdown, and recipe names read better without the backslash.
_MARKUP = re.compile(r"[\\`*\[\]~$#]|(?<!\w)_|_(?!\w)")
# A pipe as an entity splits no row in any dialect, whatever backslash stands before it.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", "|": "&#124;"})


def clean(text: str) -> str:
    """One printable line; right-to-left text is isolated so that it cannot reorder the figures beside it."""
    line = " ".join(text.split())
    if line.isascii() and line.isprintable():
        return line
    line = _LOOSE_JOINERS.sub("", "".join(map(_printable, line)))
    line = " ".join(line.split())
    if any(unicodedata.bidirectional(letter) in {"R", "AL", "AN"} for letter in line):
        return f"{_FIRST_STRONG_ISOLATE}{line}{_POP_ISOLATE}"
    return line


def _printable(letter: str) -> str:
    category = unicodedata.category(letter)
    if category == "Cs":
        return "\ufffd"
    dropped = category in {"Cc", "Cf"} and letter not in _KEPT_FORMAT_CHARACTERS
    return "" if dropped else letter


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis where something was cut."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def escape(text: str) -> str:
    """Clean text as markdown that shows exactly these characters."""
    escaped = _MARKUP.sub(r"\\\g<0>", clean(text)).translate(_ENTITIES)
    return f"&gt;{escaped[1:]}" if escaped.startswith(">") else escaped  # elsewhere it quotes nothing


def to_html(markdown: str) -> str:
    """Our markdown as HTML: headings, lists and tables; HTML in it is shown, never passed on."""
    rendered: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return rendered
