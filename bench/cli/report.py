"""Writes and prints the leaderboards of a run folder: the command report. Imports nothing that trains or serves."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.options import full_option, html_option, json_option, lang_option
from bench.errors import StoreError
from bench.machine.terminal import print_json, visible

if TYPE_CHECKING:
    from bench.results.leaderboards import Leaderboard


def add_commands(cli: click.Group) -> None:
    """Register it with the group."""
    cli.add_command(report)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@html_option
@full_option
@lang_option
@json_option
def report(folder: Path, page: Path | None, full: bool, language: str, as_json: bool) -> None:
    """Make the leaderboards of a run FOLDER again, from its files alone."""
    from bench.results.leaderboards import file_in

    print_leaderboard(folder, as_json, file_in(folder, language, "html") if page == Path() else page, language, full)


def print_leaderboard(
    folder: Path, as_json: bool, page: Path | None = None, language: str = "en", full: bool = False
) -> None:
    """Make a run's leaderboards from its files, print one screen a task (`full`: everything) or JSON, then write them.

    What was measured is printed also where the folder cannot be written; a page that was asked for elsewhere and cannot
    be written is a StoreError.
    """
    from bench.machine.consoles import SafeConsole
    from bench.results.leaderboards import make_leaderboard
    from bench.results.store import open_run

    if page is not None and page.is_dir():
        raise StoreError(f"--html {page} is a folder; name a file")
    leaderboard = make_leaderboard(open_run(folder), language)
    if as_json:
        print_json(leaderboard.to_dict())
    else:
        leaderboard.print(SafeConsole(highlight=False), full)
    _write(folder, leaderboard, language, page, quiet=as_json, full=full)


def _write(
    folder: Path, leaderboard: Leaderboard, language: str, page: Path | None, *, quiet: bool, full: bool
) -> None:
    from bench.machine.consoles import SafeConsole
    from bench.results.leaderboards import write_files

    messages = SafeConsole(stderr=True, highlight=False, markup=False, soft_wrap=True)
    try:
        written = write_files(folder, leaderboard, language, page)
    except OSError as error:
        if page is not None and not page.resolve().is_relative_to(folder.resolve()):
            raise
        limit = ": this shell allows no larger file (ulimit -f)" if error.errno == errno.EFBIG else ""
        messages.print(visible(f"not written: {error.filename or folder}: {error.strerror}{limit}"))
        return
    if not quiet:
        more = "" if full else f"; every table: bench report {folder} --full"
        messages.print(visible(f"written: {', '.join(map(str, written))}{more}"))
