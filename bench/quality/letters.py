"""Shows which of several are not told apart by letters in common: a, ab, b (a compact letter display)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_letters

GREEK = "αβγδεζηθικλμνξοπρστυφχψω"


def letter_display(ordered: Sequence[str], apart: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The letters of each name; two names have one in common unless they are a pair that is told apart.

    Insert and absorb (Piepho 2004): one column of all names; every pair apart splits the columns that hold both; a
    column within another one goes. The first name of `ordered` has the letter a.
    """
    columns = [frozenset(ordered)]
    for first, second in apart:
        split = [part for column in columns for part in _without_pair(column, first, second)]
        columns = [column for at, column in enumerate(split) if not _absorbed(column, at, split)]
    position = {name: at for at, name in enumerate(ordered)}
    columns.sort(key=lambda column: sorted(position[name] for name in column))
    return {name: "".join(_letter(at) for at, column in enumerate(columns) if name in column) for name in ordered}


def _without_pair(column: frozenset[str], first: str, second: str) -> list[frozenset[str]]:
    return [column - {first}, column - {second}] if {first, second} <= column else [column]


def _absorbed(column: frozenset[str], at: int, columns: Sequence[frozenset[str]]) -> bool:
    """Whether another column holds it; of equal ones the first stays."""
    return any(column < other or (column == other and number < at) for number, other in enumerate(columns))


def _letter(at: int) -> str:
    """One sign each: a to z, A to Z, Greek, and what follows the last of them."""
    signs = ascii_letters + GREEK
    return signs[at] if at < len(signs) else chr(ord("А") + at - len(signs))  # Cyrillic
