"""Marks results that were not measured on the whole own test split of the named data, or not with the named model."""

from __future__ import annotations

from collections.abc import Iterable

from bench.results.records import Result
from reports.render.words import joined, message

_MEANINGS = {
    "n": message("n: on fewer test texts than there are"),
    "s": message("s: test is no test split of the data's own, but a part of others"),
    "d": message("d: built-in samples stand in for the data"),
    "m": message("m: a small model stands in for the published one"),
}


def scope_of(result: Result) -> str | None:
    """The letters of what holds for a result, such as "n,m"; None where nothing does, or nothing was measured."""
    if result.quality is None and not result.load:
        return None
    tested = result.quality.n if result.quality else result.test_items
    holds = {
        "n": tested is not None and tested < result.data.full_sizes.test,
        "s": not result.data.own_test,
        "d": result.data.source.kind == "sample",
        "m": result.cell.stands_for is not None,
    }
    return ",".join(letter for letter, held in holds.items() if held) or None


def scope_words(result: Result) -> str | None:
    """The same in words, for exports."""
    letters = scope_of(result)
    return "; ".join(str(_MEANINGS[letter]).partition(": ")[2] for letter in letters.split(",")) if letters else None


def scope_notes(results: Iterable[Result]) -> tuple[str, ...]:
    """What the letters of these results mean; nothing where none has any."""
    found = {letter for result in results for letter in (scope_of(result) or "").split(",") if letter}
    if not found:
        return ()
    return (joined("; ", [message("marks of answers"), *(_MEANINGS[each] for each in _MEANINGS if each in found)]),)
