"""The leaderboard of a run folder, written and printed; imports nothing that trains or serves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from bench import registry
from bench.errors import StoreError
from bench.files.cache import write_whole
from bench.results.evidence import evidence_of
from bench.results.store import open_run


def file_in(folder: Path, language: str, end: str) -> Path:
    """Where a leaderboard lies in its run folder: leaderboard.md, leaderboard.zh.html."""
    return folder / ("leaderboard" + ("" if language == "en" else f".{language}") + f".{end}")


def print_leaderboard(folder: Path, as_json: bool, page: Path | None = None, language: str = "en") -> None:
    """Make a run's leaderboards from its files: markdown, plots, where asked for the page; print tables or JSON."""
    leaderboard = registry.find("report", "leaderboard")(open_run(folder), language)
    markdown = file_in(folder, language, "md")
    write_whole(markdown, leaderboard.markdown.encode("utf-8"))
    for name, picture in leaderboard.plots().items():
        write_whole(folder / name, picture)
    if page:
        if page.is_dir():
            raise StoreError(f"--html {page} is a folder; name a file")
        write_whole(page, leaderboard.page(evidence_of(folder)).encode("utf-8"))
    if as_json:
        sys.stdout.write(json.dumps(leaderboard.to_dict(), ensure_ascii=False, indent=1) + "\n")
        return
    leaderboard.print(Console(highlight=False))
    written = [str(path) for path in (markdown, page) if path]
    Console(stderr=True, highlight=False).print(f"written: {', '.join(written)}", soft_wrap=True)
