"""Says how far a run of many workers is: a line, and a table for a terminal."""

from __future__ import annotations

from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from bench.execution.progress import Progress, Running
from bench.machine.terminal import visible
from bench.plan.estimate import shown_s

SHOWN = 12


def summary(progress: Progress) -> str:
    """One line for the whole."""
    parts = [f"{progress.done} of {progress.cells} results done", f"{progress.waiting} waiting"]
    if progress.failed:
        parts.append(f"{len(progress.failed)} failed")
    return f"{', '.join(parts)}; {progress.workers} workers; {_end(progress)}"


def lines(progress: Progress) -> list[str]:
    """One line each for what runs and what failed."""
    running = [f"running: {one.title} on {one.host} ({one.worker}){_heard(one)}" for one in progress.running]
    return [*running, *(f"failed: {one.name}: {one.status}: {one.reason}" for one in progress.failed)]


def progress_table(progress: Progress) -> Table:
    """What runs where and what failed, the latest of it, under the line for the whole."""
    table = Table(title=Text(summary(progress), style="bold"), title_justify="left", box=None, show_header=False)
    table.add_column()
    said = lines(progress)
    for line in said[:SHOWN]:
        table.add_row(Text(visible(line)))
    if len(said) > SHOWN:
        table.add_row(Text(f"{len(said) - SHOWN} more: bench status"))
    return table


def _end(progress: Progress) -> str:
    if progress.waiting == 0:
        return "nothing is left"
    if progress.workers == 0:
        return "nobody works on it: start its shards again, or `bench run` without --shard"
    if progress.ends_in_s is None:
        return "when it ends cannot be told"
    end = datetime.now().astimezone() + timedelta(seconds=progress.ends_in_s)
    return f"about {shown_s(progress.ends_in_s)} left, until {end:%H:%M}"


def _heard(running: Running) -> str:
    return f", not heard for {shown_s(running.heard_s)}: it will be taken over" if running.lapsed else ""
