"""Say what a run would do: its trainings and cells as a table or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.cli.run import request_of
from bench.execution.console import RunConsole
from bench.files.cache import cache_dir
from bench.machine.terminal import visible
from bench.plan.defaults import known_calibrations, with_default_engines
from bench.plan.estimate import shown_s
from bench.plan.plan import check_request, make_plan
from bench.plan.work import Item, work_items

KEY_LETTERS = 8


def plan_command(choices: dict[str, Any], *, quiet: bool, as_json: bool) -> None:
    """Print the items of the run that these choices describe."""
    request = request_of(choices)
    check_request(request)
    with RunConsole(quiet) as console:
        console.start("preparing the data")
        plan = make_plan(request, console.progress)
    calibrations = known_calibrations(plan, cache_dir())
    items = work_items(with_default_engines(plan, calibrations), calibrations)
    if as_json:
        sys.stdout.write(json.dumps([item.model_dump() for item in items], ensure_ascii=False, indent=1) + "\n")
        return
    output = Console(highlight=False)
    output.print(_table(items))
    output.print(_summary(items), soft_wrap=True)


def _table(items: Sequence[Item]) -> Table:
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
    known = [item.expected_s for item in items if item.expected_s is not None]
    trainings = sum(item.kind == "training" for item in items)
    unknown = f"; of {len(items) - len(known)} the time cannot be told" if len(known) < len(items) else ""
    return (
        f"{trainings} trainings and {len(items) - trainings} cells, about {shown_s(sum(known))} "
        f"one after the other, without downloads{unknown}"
    )
