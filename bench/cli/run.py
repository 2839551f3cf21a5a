"""Trains, serves and measures: the command run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import full_option, json_option, lang_option, quiet_option, take_prompts, take_reading
from bench.cli.parameters import Duration, SectionedCommand, section
from bench.cli.selection import selection_options
from bench.errors import CellsFailed

if TYPE_CHECKING:
    from bench.plan.request import RunRequest
    from bench.results.records import Result

SPREAD = ("store", "jobs", "devices", "executor", "ray_address", "ray_accelerator", "with_classifiers")


def add_commands(cli: click.Group) -> None:
    """Register it with the group."""
    cli.add_command(run)


@click.command(cls=SectionedCommand)
@selection_options
@section("How to measure")
@click.option(
    "--budget",
    "budget_s",
    type=Duration(),
    metavar="TIME",
    help="Time for the whole run, such as 10m: the cheap first, what does not fit is named and left for another run.",
)
@click.option(
    "--recalibrate",
    is_flag=True,
    help="Measure again which engines are this machine's defaults, instead of taking what is in the cache.",
)
@click.option("--retry", is_flag=True, help="Run cells of this folder again that failed or that others held up.")
@section("Many at once")
@click.option("--shard", metavar="K/N", help="Do part K of N into the store that all parts share, 3/16 for one.")
@click.option(
    "--store",
    metavar="ROOT",
    help="What the workers of a run share: a folder or s3://bucket/path. Default: store in the run folder.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 256), help="So many classifiers at once, each on its share of the cores."
)
@click.option(
    "--devices", metavar="LIST", help="One worker a GPU, cuda:0,cuda:1 for two, each with its share of cores."
)
@click.option(
    "--executor",
    type=click.Choice(["local", "ray"]),
    default="local",
    help="ray: one worker a node of a Ray cluster, or a GPU of it; without --ray-address a Ray of this machine.",
)
@click.option("--ray-address", metavar="ADDRESS", help="The Ray to join: auto, or HOST:PORT of its head node.")
@click.option("--ray-accelerator", metavar="TYPE", help="Take nodes with this accelerator alone, such as H100.")
@click.option("--with-classifiers", is_flag=True, help="Bring the classifiers that others trained here, too.")
@section("Output")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder. Default: runs/ and the suites' names.")
@click.option(
    "--price", "price_per_hour", type=float, help="Price of this machine an hour, for cost per million texts."
)
@full_option
@lang_option
@quiet_option
@json_option
def run(full: bool, language: str, quiet: bool, as_json: bool, shard: str | None, **choices: Any) -> None:
    """Train, serve and measure every cell that has no result yet; print the leaderboards."""
    from bench.plan.shards import parse_shard

    spread = {name: choices.pop(name) for name in SPREAD} | {"shard": parse_shard(shard) if shard else None}
    failed = _run_and_print(choices, _Shown(language, full=full, quiet=quiet, as_json=as_json), spread)
    if failed:
        raise CellsFailed(f"{failed} of the cells failed; their results say why, --retry runs them again")


@dataclass(frozen=True)
class _Shown:
    """How the command shows what it found."""

    language: str
    full: bool
    quiet: bool
    as_json: bool


def _run_and_print(choices: dict[str, Any], shown: _Shown, spread: dict[str, Any]) -> int:
    """Run, store and print; returns how many cells failed. `spread`: the fields of a Spread."""
    from bench.cli.report import print_leaderboard
    from bench.execution.console import RunConsole
    from bench.execution.schedule import Budget
    from bench.execution.spread import Spread, run_request
    from bench.results.leaderboards import file_in, write_leaderboard

    budget = Budget(choices.get("budget_s"))

    def write_page(folder: Path) -> None:
        write_leaderboard(folder, shown.language, file_in(folder, shown.language, "html"))

    with RunConsole(shown.quiet) as console:
        plan, results = run_request(make_request(choices), console, Spread(**spread), write_page, budget)
    if spread["shard"] is None or results:
        page = file_in(plan.out, shown.language, "html")
        print_leaderboard(plan.out, shown.as_json, page, shown.language, shown.full)
    return sum(_failed(result) for result in results)


def make_request(choices: dict[str, Any]) -> RunRequest:
    """What a command's choices ask for; what was not chosen is left to the plan."""
    from bench.plan.request import RunRequest

    reading, prompts = take_reading(choices), take_prompts(choices)
    return RunRequest(
        reading=reading, prompts=prompts, **{name: value for name, value in choices.items() if value is not None}
    )


def _failed(result: Result) -> bool:
    """An INVALID result without answers failed too: its endpoint gave none."""
    from bench.results.records import Status

    failed = {Status.CRASH, Status.OOM, Status.TIMEOUT}
    return result.status in failed or (result.status is Status.INVALID and result.quality is None)
