"""Reads the rows that one delimiter gives, equally long and with quotation marks as the file uses them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bench.data.content import text_lines

# In files with these delimiters a quotation mark is often a mere character; in spreadsheets' files it never is.
LITERAL_QUOTES = ("\t", "|", "^", "~", "\x01")
_QUOTED = re.compile(r'"(?:[^"\\]|""|\\.)*"', re.DOTALL)
# Where line feeds end the lines, a carriage return on its own is a letter of its cell; Python's csv ends the row there.
_LONE_RETURN = re.compile(r"(?<!\n)\r(?!\r*(?:\n|$))")
_IN_ITS_PLACE = "\ufdd0"  # a noncharacter of Unicode
Cells = list[list[str]]


class Misfit(Exception):
    """A row that does not fit: its line and what is wrong with it."""

    def __init__(self, line: int, reason: str, rows: int) -> None:
        super().__init__(reason)
        self.line, self.reason, self.rows = line, reason, rows


@dataclass(frozen=True)
class Parsed:
    """The rows that one delimiter gives."""

    delimiter: str
    cells: Cells
    lines: list[int]


def parse_rows(text: str, delimiter: str, keep_blank: bool = False) -> Parsed:
    """All rows, equally long but for empty cells at the end; raises Misfit at the first that is not.

    `keep_blank`: in a file of one column a blank line is a row with an empty cell, not none.
    """
    if '"' not in text:
        single = text.lstrip()[:1] == "'"
        tries = ["single", "quoted"] if single else ["quoted"]
    elif delimiter in LITERAL_QUOTES and not _are_quoted(text, delimiter):
        tries = ["literal", "quoted", "escaped"]
    else:
        tries = ["quoted", "escaped"]
    failed: Misfit | None = None
    for mode in tries:
        try:
            return _even(text, delimiter, mode, keep_blank)
        except Misfit as error:
            failed = failed or error
    assert failed is not None  # noqa: S101 - at least one mode was tried
    raise failed


def _even(text: str, delimiter: str, mode: str, keep_blank: bool) -> Parsed:
    cells: Cells = []
    lines: list[int] = []
    width = 0
    for line, read in _records(text, delimiter, mode):
        blank = len(read) < 2 and not any(cell.strip() for cell in read)
        if blank and not (keep_blank and width == 1):
            continue
        row = [""] if blank else read
        if not cells:
            width = len(row)
        elif len(row) != width and (len(row) < width or any(cell.strip() for cell in row[width:])):
            hint = "; does a cell without quotation marks hold the delimiter?" if len(row) > width > 1 else ""
            reason = f"has {len(row)} columns, line {lines[0]} has {width}{hint}"
            raise Misfit(line, reason, len(cells) if width > 1 else 0)
        cells.append(row[:width])
        lines.append(line)
    if not cells:
        raise Misfit(1, "holds no rows", 0)
    return Parsed(delimiter, cells, lines)


def _records(text: str, delimiter: str, mode: str) -> Iterator[tuple[int, list[str]]]:
    if mode == "literal":
        for number, line in enumerate(text.split("\n"), start=1):
            yield number, line.removesuffix("\r").split(delimiter)
        return
    inner = _LONE_RETURN.search(text) is not None and "\n" in text and _IN_ITS_PLACE not in text
    reader = csv.reader(
        text_lines(_LONE_RETURN.sub(_IN_ITS_PLACE, text) if inner else text),
        delimiter=delimiter,
        quotechar="'" if mode == "single" else '"',
        doublequote=mode != "escaped",
        escapechar="\\" if mode == "escaped" else None,
        skipinitialspace=delimiter != " " and _spaced(text, delimiter),
        strict=True,
    )
    started, rows = 1, 0
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Misfit(started, f": {error}; a quoted field may lack its closing quote", rows) from error
        yield started, [cell.replace(_IN_ITS_PLACE, "\r") for cell in row] if inner else row
        rows += 1
        started = reader.line_num + 1


def _spaced(text: str, delimiter: str) -> bool:
    """Whether a space between delimiter and cell belongs to neither: the header has one, or a quote follows it."""
    first = text.lstrip("\r\n").partition("\n")[0]
    return f'{delimiter} "' in text[:10_000] and (f"{delimiter} " in first) and f'{delimiter}"' not in first


def _are_quoted(text: str, delimiter: str) -> bool:
    """Whether quotation marks quote: every cell of a line that starts with one ends with one, and lines may not fit."""
    widths = set()
    for line in text.split("\n"):
        row = line.removesuffix("\r").split(delimiter)
        if len(row) > 1 or row[0]:
            widths.add(len(row))
        if any(cell[:1] == '"' and not _QUOTED.fullmatch(cell) for cell in row):
            return len(widths) > 1
    return True
