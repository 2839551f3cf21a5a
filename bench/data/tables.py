"""Holds the texts and labels of one file, and the cells they are taken from."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHOWN_PLACES = 5


@dataclass(frozen=True)
class Table:
    """Texts and raw labels of one file, in its order; `lines` are what a person counts to find them (from 1).

    `rows` are the row numbers (from 0) in the file when some rows have been left out, `dropped` how many were left out
    because they lack a text or a label, `notes` what a reader of the results has to know of how the file was read.
    `parts` are the files that several shards came from: first row and path of each. `classes` are the classes in the
    source's own order, where it lists them.
    """

    path: Path
    texts: list[str]
    labels: list[str]
    lines: list[int]
    unit: str
    columns: tuple[str, str] | None = None
    rows: list[int] | None = None
    dropped: int = 0
    notes: tuple[str, ...] = ()
    facts: Facts | None = None
    parts: tuple[tuple[int, Path], ...] = ()
    classes: tuple[str, ...] = ()

    def where(self, row: int) -> str:
        """File and line of a row, as an error names it."""
        if self.parts:
            path = self.parts[bisect(self.parts, row, key=lambda part: part[0]) - 1][1]
            return str(path) if self.unit == "file" else f"{path} {self.unit} {self.lines[row]}"
        return f"{self.path} {self.unit} {self.lines[row]}"


@dataclass(frozen=True)
class Facts:
    """How a file was read: its format, encoding, delimiter, the names of all its columns and its first rows."""

    format: str
    encoding: str | None = None
    delimiter_sign: str | None = None
    names: tuple[str, ...] | None = None
    first_rows: tuple[tuple[str, ...], ...] = ()

    @property
    def delimiter(self) -> str | None:
        """The delimiter as a person writes it after --delimiter."""
        sign = self.delimiter_sign
        return None if sign is None else {"\t": "tab", " ": "space"}.get(sign, f"'{sign}'")


@dataclass(frozen=True)
class Rows:
    """Cells of a file, all rows equally long; `names` only where the file names its columns.

    `classes` are those that the file lists for a column, in its order.
    """

    cells: Sequence[Sequence[Any]]
    lines: list[int]
    names: tuple[str, ...] | None
    facts: Facts
    unit: str = "line"
    notes: tuple[str, ...] = ()
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)


def places(unit: str, lines: Sequence[int]) -> str:
    """Where to look, in a few words: "line 2, 5, 9, 12, 20, ..."."""
    more = ", ..." if len(lines) > SHOWN_PLACES else ""
    return f"{unit} {', '.join(map(str, lines[:SHOWN_PLACES]))}{more}"


def shortened(value: object, longest: int = 40) -> str:
    """A cell as an error shows it: one line, at most `longest` characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
