"""Writes and prints the leaderboards of a run folder; imports nothing that trains or serves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from bench.results.leaderboards import write_leaderboard


def print_leaderboard(folder: Path, as_json: bool, page: Path | None = None, language: str = "en") -> None:
    """Make a run's leaderboards from its files: markdown, plots, where asked for the page; print tables or JSON."""
    leaderboard, written = write_leaderboard(folder, language, page)
    if as_json:
        sys.stdout.write(json.dumps(leaderboard.to_dict(), ensure_ascii=False, indent=1) + "\n")
        return
    leaderboard.print(Console(highlight=False))
    Console(stderr=True, highlight=False).print(f"written: {', '.join(map(str, written))}", soft_wrap=True)
