"""Removes a key from what a server says, in whatever spelling it comes back."""

from __future__ import annotations

import base64
import binascii
import html
import re
from urllib.parse import unquote_plus

HIDDEN = "***"
_ALL_HIDDEN = "(not shown: it repeats the key)"
_LEAST_RUN = 6
_CODED = re.compile(rf"[A-Za-z0-9+/_-]{{{_LEAST_RUN},}}={{0,2}}")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")
_MARKS = re.compile(r"[^A-Za-z0-9]+")
_ROUNDS = 3  # of coding laid over coding


def redact(words: str, key: str | None) -> str:
    """The words without the key: as it is, base64- or hex-coded, with escapes, broken by spaces or turned round."""
    if not key:
        return words
    words = words.replace(key, HIDDEN)
    words = _CODED.sub(lambda run: HIDDEN if _holds(run[0], key) else run[0], words)
    return _ALL_HIDDEN if _repeats(words, key) else words


def _holds(run: str, key: str, rounds: int = _ROUNDS) -> bool:
    """Whether a run of letters is the key in base64 (at any of its four alignments) or in hex, also twice coded."""
    decoded = [_from_base64(run[start:]) for start in range(4)]
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", run):
        decoded.append(bytes.fromhex(run))
    for content in decoded:
        said = content.decode("latin-1")
        if key in said or key in content.decode("utf-16-le", "replace"):
            return True
        if rounds > 1 and any(
            _holds(inner, key, rounds - 1) for inner in _CODED.findall(said) if len(inner) > len(key)
        ):
            return True
    return False


def _from_base64(run: str) -> bytes:
    plain = run.rstrip("=").translate(str.maketrans("-_", "+/"))
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4))
    except binascii.Error:
        return b""


def _repeats(words: str, key: str) -> bool:
    """Whether the key shows once escapes are undone, spaces and marks left out, or the text is read backwards."""
    said = words
    for _ in range(_ROUNDS):
        said = html.unescape(unquote_plus(_ESCAPED.sub(lambda code: chr(int(code[1] or code[2], 16)), said)))
        if key in said or any(_holds(run, key) for run in _CODED.findall(said)):
            return True
    if len(key) < _LEAST_RUN:
        return False
    bare, sought = _MARKS.sub("", said).casefold(), _MARKS.sub("", key).casefold()
    return bool(sought) and (sought in bare or sought in bare[::-1])
