"""The command plan: what a run would do, without doing it."""

from __future__ import annotations

from typing import Any

import click

from bench.cli.options import SectionedCommand, json_option, quiet_option, section
from bench.cli.selection import selection_options


def add_commands(cli: click.Group) -> None:
    """Register it with the group."""
    cli.add_command(plan)


@click.command(cls=SectionedCommand)
@selection_options
@section("Output")
@quiet_option
@json_option
def plan(quiet: bool, as_json: bool, **choices: Any) -> None:
    """Show every training and cell of a run: its key, needs, what it waits for, expected time.

    Nothing is trained or measured, and no model is fetched: only the data is prepared.
    """
    from bench.cli.plan_commands import plan_command

    plan_command(choices, quiet=quiet, as_json=as_json)
