"""Trains, serves and measures: the command run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import (
    csv_option,
    data_options,
    endpoint_options,
    full_option,
    json_option,
    lang_option,
    machine_options,
    quiet_option,
    recipe_options,
    take_prompts,
    take_reading,
)
from bench.cli.parameters import Duration, SectionedCommand, section
from bench.errors import CellsFailed

if TYPE_CHECKING:
    from bench.plan.request import RunRequest
    from bench.results.records import Result


def add_commands(cli: click.Group) -> None:
    """Register it with the group."""
    cli.add_command(run)


@click.command(cls=SectionedCommand)
@section("What to run")
@csv_option("--suite", "suites", "Suites to run, e.g. agnews,weibo/tags-stripped; or your own: mine.toml.", "suites")
@recipe_options
@click.option("--study", metavar="NAME", help="A study: recipes at several settings or sample sizes (`bench list`).")
@click.option(
    "--weights",
    type=click.Choice(["trained", "random"]),
    help="random: rates of published architectures without their checkpoints (bench/models/architectures.toml).",
)
@csv_option("--backends", "engines", "Engines, e.g. eager,onnx-int8. Default: what suits this machine.", "engines")
@endpoint_options
@section("Where the data is")
@data_options
@click.option("--limit", type=int, help="At most this many train and test texts (stratified; the table says so).")
@section("How to measure")
@click.option("--tier", metavar="TIER", help="quick (default), standard, report or mlperf: how long to measure.")
@csv_option(
    "--scenario", "scenarios", "single (one request at a time), offline (all at once), server (Poisson).", "scenarios"
)
@click.option(
    "--p99-limit-ms",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MS",
    help="Latency limit of the server scenario; 100 by default. The highest rate within it is looked for.",
)
@click.option("--seeds", type=int, help="Training seeds a method, 1 by default; 3 to 5 for a claim.")
@click.option(
    "--autotune",
    is_flag=True,
    help="First search batch size, token budget and threads of every engine; of a backend's precisions measure the "
    "fastest.",
)
@machine_options
@click.option(
    "--cell-limit", "cell_limit_s", type=float, metavar="SECONDS", help="Time limit of each training or cell."
)
@click.option(
    "--budget",
    "budget_s",
    type=Duration(),
    metavar="TIME",
    help="Time for the whole run, such as 10m: cheap rows first, what does not fit is named and left for another run.",
)
@click.option(
    "--recalibrate",
    is_flag=True,
    help="Measure again which engines are this machine's defaults, instead of taking what is in the cache.",
)
@click.option("--retry", is_flag=True, help="Run failed cells of this folder again.")
@section("Output")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder. Default: runs/ and the suites' names.")
@click.option(
    "--price", "price_per_hour", type=float, help="Price of this machine an hour, for cost per million texts."
)
@full_option
@lang_option
@quiet_option
@json_option
def run(full: bool, language: str, quiet: bool, as_json: bool, **choices: Any) -> None:
    """Train, serve and measure every cell that has no result yet; print the leaderboards."""
    failed = _run_and_print(choices, language, full=full, quiet=quiet, as_json=as_json)
    if failed:
        raise CellsFailed(f"{failed} of the cells failed; their rows say why, --retry runs them again")


def _run_and_print(choices: dict[str, Any], language: str, *, full: bool, quiet: bool, as_json: bool) -> int:
    """Run, store and print; returns how many cells failed."""
    from bench.cli.report import print_leaderboard
    from bench.execution.console import RunConsole
    from bench.execution.processes import Workers
    from bench.execution.run import run_plan
    from bench.execution.schedule import Budget
    from bench.machine.threads import usable_cores
    from bench.plan.choices import check_request
    from bench.plan.plan import make_plan
    from bench.results.leaderboards import file_in

    budget = Budget(choices.get("budget_s"))
    request = make_request(choices)
    check_request(request)
    with RunConsole(quiet) as console:
        console.start("preparing the data")
        workers = Workers(request.threads or usable_cores())  # they import torch while the data is read
        plan = make_plan(request, console.progress)
        results = run_plan(plan, console, workers, budget)
    print_leaderboard(plan.out, as_json, file_in(plan.out, language, "html"), language, full)
    return sum(_failed(result) for result in results)


def make_request(choices: dict[str, Any]) -> RunRequest:
    """What a command's choices ask for; what was not chosen is left to the plan."""
    from bench.plan.request import RunRequest

    reading, prompts = take_reading(choices), take_prompts(choices)
    return RunRequest(
        reading=reading, prompts=prompts, **{name: value for name, value in choices.items() if value is not None}
    )


def _failed(result: Result) -> bool:
    """An INVALID row without answers failed too: its endpoint gave none."""
    from bench.results.records import Status

    failed = {Status.CRASH, Status.OOM, Status.TIMEOUT}
    return result.status in failed or (result.status is Status.INVALID and result.quality is None)
