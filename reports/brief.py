"""Prints one screen a task: who is ahead and how sure, the leaderboard, what went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.rule import Rule
from rich.text import Text

from reports.render.markdown import clean, shorten
from reports.render.table import Table, to_rich
from reports.render.words import message, say

MOST_ROWS = 16
MOST_NOTES = 4
MOST_PROBLEMS = 6
LINES_OF_NOTE = 2


def brief_section(
    title: str,
    lead: str,
    notes: Sequence[str],
    rankings: Sequence[str],
    table: Table | None,
    problems: Sequence[str],
    width: int,
    language: str,
) -> Iterator[RenderableType]:
    """A task for a terminal of `width` columns, in `language` already; long lists end in how much is left out."""
    yield Rule()
    yield Text(clean(title), style="bold")
    yield Text(clean(lead), style="dim")
    yield from _lines(notes, MOST_NOTES, LINES_OF_NOTE * width, language)
    if rankings:
        yield Text(f"\n{say('Ranking', language)}", style="bold")
        for line in rankings:
            yield Text(f"- {clean(line)}")
    if table is not None:
        yield Text()
        yield from to_rich(table, width, language, MOST_ROWS)
    if problems:
        yield Text(f"\n{say(message('Went wrong, or not to be believed'), language)}", style="bold")
        yield from _lines(problems, MOST_PROBLEMS, LINES_OF_NOTE * width, language)


def _lines(lines: Sequence[str], most: int, longest: int, language: str) -> Iterator[RenderableType]:
    for line in lines[:most]:
        yield Text(f"- {shorten(clean(line), longest - 2)}")
    if len(lines) > most:
        more = message("{hidden:,} more: --full prints them", hidden=len(lines) - most)
        yield Text(f"- {say(more, language)}", style="dim")
