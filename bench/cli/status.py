"""Shows how far a run of many workers is: the command status."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import json_option


def add_commands(cli: click.Group) -> None:
    """Register it with the group."""
    cli.add_command(status)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--store", metavar="ROOT", help="The --store of the run. Default: store in the run folder.")
@click.option("--watch", is_flag=True, help="Show it again and again until the run is complete.")
@json_option
def status(folder: Path, store: str | None, watch: bool, as_json: bool) -> None:
    """Show how far the workers of a run FOLDER are: results done, running, waiting, failed and why, expected end."""
    from bench.cli.status_view import print_progress, watch_progress
    from bench.execution.progress import progress_of
    from bench.execution.sharing import STORE
    from bench.files.objects import open_store

    opened = open_store(store or str(folder / STORE))
    if watch and not as_json:
        watch_progress(lambda: progress_of(opened))
        return
    found = progress_of(opened)
    if as_json:
        click.echo(found.model_dump_json(indent=1))
    else:
        print_progress(found)
