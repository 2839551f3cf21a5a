"""Prints how far a run of many workers is."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from bench.execution.progress import Progress, Running
from bench.machine.terminal import visible
from bench.plan.estimate import shown_s


def print_progress(progress: Progress) -> None:
    """One line for the whole, one each for what runs and what failed."""
    parts = [f"{progress.done} of {progress.cells} rows done", f"{progress.waiting} waiting"]
    if progress.failed:
        parts.append(f"{len(progress.failed)} failed")
    click.echo(f"{', '.join(parts)}; {progress.workers} workers; {_end(progress)}")
    for running in progress.running:
        click.echo(visible(f"running: {running.title} on {running.host} ({running.worker}){_heard(running)}"))
    for failed in progress.failed:
        click.echo(visible(f"failed: {failed.name}: {failed.status}: {failed.reason}"))


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
