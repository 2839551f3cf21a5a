"""Prints how far a run of many workers is, once or for as long as it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

import click
from rich.live import Live

from bench.execution.progress import Progress
from bench.execution.progress_view import lines, progress_table, summary
from bench.machine.consoles import SafeConsole
from bench.machine.terminal import visible

ASK_S = 2.0


def print_progress(progress: Progress) -> None:
    """One line for the whole, one each for what runs and what failed."""
    click.echo(summary(progress))
    for line in lines(progress):
        click.echo(visible(line))


def watch_progress(ask: Callable[[], Progress]) -> None:
    """Show it again and again until nothing is left to do; Ctrl-C stops the watching alone."""
    console = SafeConsole(highlight=False)
    said = ""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while (found := ask()).waiting:
            if console.is_terminal:
                live.update(progress_table(found), refresh=True)
            elif summary(found) != said:
                said = summary(found)
                click.echo(said)
            time.sleep(ASK_S)
    print_progress(found)
