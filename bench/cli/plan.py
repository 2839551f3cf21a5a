"""Shows what a run would do, without doing it: the command plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import json_option, quiet_option
from bench.cli.parameters import SectionedCommand, section
from bench.cli.run import make_request
from bench.cli.selection import selection_options
from bench.machine.terminal import print_json

if TYPE_CHECKING:
    from rich.table import Table

    from bench.plan.work import Item

KEY_LETTERS = 8


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
    from bench.machine.consoles import SafeConsole

    items = _items(choices, quiet)
    if as_json:
        print_json([item.model_dump() for item in items])
        return
    output = SafeConsole(highlight=False)
    output.print(_table(items))
    output.print(_summary(items), soft_wrap=True)


def _items(choices: dict[str, Any], quiet: bool) -> Sequence[Item]:
    """The trainings and cells of the run that these choices describe."""
    from bench.execution.console import RunConsole
    from bench.files.cache import cache_dir
    from bench.plan.choices import check_request
    from bench.plan.defaults import known_calibrations, with_default_engines
    from bench.plan.plan import make_plan
    from bench.plan.work import work_items

    request = make_request(choices)
    check_request(request)
    with RunConsole(quiet) as console:
        console.start("preparing the data")
        made = make_plan(request, console.progress)
    calibrations = known_calibrations(made, cache_dir())
    return work_items(with_default_engines(made, calibrations), calibrations)


def _table(items: Sequence[Item]) -> Table:
    from rich.table import Table

    from bench.machine.terminal import visible
    from bench.plan.estimate import shown_s

    names = {item.key: str(at) for at, item in enumerate(items, 1)}
    table = Table(box=None, pad_edge=False)
    for column in ("#", "what", "key", "after", "device", "memory", "alone", "expected"):
        table.add_column(column, justify="right" if column in ("#", "expected") else "left", no_wrap=column == "key")
    for item in items:
        table.add_row(
            names[item.key],
            visible(item.name),
            item.key[:KEY_LETTERS],
            ", ".join(names[key] for key in item.after),
            item.needs.device,
            "?" if item.needs.memory_gb is None else f"{item.needs.memory_gb:g} GB",
            "yes" if item.needs.whole_machine else "no",
            "?" if item.expected_s is None else shown_s(item.expected_s),
        )
    return table


def _summary(items: Sequence[Item]) -> str:
    from bench.plan.estimate import shown_s

    known = [item.expected_s for item in items if item.expected_s is not None]
    trainings = sum(item.kind == "training" for item in items)
    unknown = f"; of {len(items) - len(known)} the time cannot be told" if len(known) < len(items) else ""
    return (
        f"{trainings} trainings and {len(items) - trainings} cells, about {shown_s(sum(known))} "
        f"one after the other, without downloads{unknown}"
    )
