"""Reads fastText's training files: `__label__NAME text` a line."""

from __future__ import annotations

from pathlib import Path

from bench.data.tables import Facts, Rows, shortened
from bench.errors import DataError

PREFIX = "__label__"


def looks_like_fasttext(text: str) -> bool:
    """Whether the first line that is not empty starts with a label."""
    return text[:1000].lstrip().startswith(PREFIX)


def read_fasttext(path: Path, text: str, encoding: str) -> Rows:
    """Label and text of each line; raises DataError with the line that has no label or several."""
    cells, lines = [], []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        words = line.strip().split(None, 1)
        if not words[0].startswith(PREFIX):
            raise DataError(f"{path} line {number} does not start with {PREFIX}: '{shortened(line)}'")
        rest = words[1] if len(words) > 1 else ""
        if rest.startswith(PREFIX):
            raise DataError(
                f"{path} line {number} has several labels ({words[0]} {rest.split(None, 1)[0]}); "
                "multi-label texts are not measured: leave one label a text"
            )
        cells.append((rest, words[0].removeprefix(PREFIX)))
        lines.append(number)
    first = tuple((shortened(text, 80), label) for text, label in cells[:3])
    return Rows(cells, lines, ("text", "label"), Facts("fastText lines", encoding, None, ("text", "label"), first))
