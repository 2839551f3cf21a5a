"""Prints reports and reads their tables."""

from __future__ import annotations

from rich.console import Console

from reports.leaderboard import Leaderboard


def printed(leaderboard: Leaderboard, width: int) -> str:
    console = Console(width=width, force_terminal=False, color_system=None, highlight=False)
    with console.capture() as capture:
        leaderboard.print(console)
    return capture.get()


def table(leaderboard: Leaderboard, title: str) -> list[dict[str, str]]:
    """The rows of the first table whose title begins so, read back from the markdown."""
    section = leaderboard.markdown.split(f"\n### {title}", 1)[1].split("\n### ", 1)[0]
    lines = [line for line in section.split("\n") if line.startswith("|")]
    heading, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(heading, row, strict=True)) for row in rows]
