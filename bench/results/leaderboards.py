"""Makes the leaderboards of a stored run and writes them into its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from bench import registry
from bench.errors import StoreError
from bench.files.cache import write_whole
from bench.results.evidence import evidence_of
from bench.results.records import Evidence, StoredRun
from bench.results.store import open_run


class Leaderboard(Protocol):
    """The leaderboards of a run in one language; notebooks show them as tables."""

    @property
    def markdown(self) -> str:
        """GitHub-flavoured markdown that ends in a newline."""

    def plots(self) -> dict[str, bytes]:
        """SVG files by their path beside the leaderboard, which shows them."""

    def page(self, evidence: Evidence) -> str:
        """One HTML file that shows the same and the evidence."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: every result's full figures, None where there is none."""

    def print(self, console: Console, full: bool = True) -> None:
        """Print on a console, as wide as it is: everything, or one screen a task."""

    def _repr_html_(self) -> str: ...

    def _repr_markdown_(self) -> str: ...


def make_leaderboard(run: StoredRun, language: str = "en") -> Leaderboard:
    """The leaderboards of a run; reads nothing but `run`."""
    leaderboard: Leaderboard = registry.find("report", "leaderboard")(run, language)
    return leaderboard


def file_in(folder: Path, language: str, end: str) -> Path:
    """Where a leaderboard lies in its run folder: leaderboard.md, leaderboard.zh.html."""
    return folder / ("leaderboard" + ("" if language == "en" else f".{language}") + f".{end}")


def write_leaderboard(folder: Path, language: str = "en", page: Path | None = None) -> tuple[Leaderboard, list[Path]]:
    """Write markdown and plots into a run folder and, where asked for, the HTML page; returns what was written.

    Raises StoreError where `page` is a folder.
    """
    leaderboard = make_leaderboard(open_run(folder), language)
    return leaderboard, write_files(folder, leaderboard, language, page)


def write_files(folder: Path, leaderboard: Leaderboard, language: str, page: Path | None) -> list[Path]:
    """Write what a leaderboard has to show; returns markdown and page."""
    markdown = file_in(folder, language, "md")
    write_whole(markdown, leaderboard.markdown.encode("utf-8"))
    for name, picture in leaderboard.plots().items():
        write_whole(folder / name, picture)
    if page:
        if page.is_dir():
            raise StoreError(f"--html {page} is a folder; name a file")
        write_whole(page, leaderboard.page(evidence_of(folder)).encode("utf-8"))
    return [markdown, *([page] if page else [])]
