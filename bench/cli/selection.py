"""Declares the options that choose what a run measures; the commands run and plan share them."""

from __future__ import annotations

from typing import Any

import click

from bench.cli.options import (
    csv_option,
    data_options,
    endpoint_options,
    machine_options,
    recipe_options,
)
from bench.cli.parameters import Command, section

_OPTIONS: tuple[Any, ...] = (
    section("What to run"),
    csv_option(
        "--suite", "suites", "Suites to run, e.g. agnews,weibo/tags-stripped; or your own: mine.toml.", "suites"
    ),
    recipe_options,
    click.option(
        "--study", metavar="NAME", help="A study: recipes at several settings or sample sizes (`bench list`)."
    ),
    click.option(
        "--weights",
        type=click.Choice(["trained", "random"]),
        help="random: rates of published architectures without their checkpoints (bench/models/architectures.toml).",
    ),
    csv_option("--backends", "engines", "Engines, e.g. eager,onnx-int8. Default: what suits this machine.", "engines"),
    endpoint_options,
    section("Where the data is"),
    data_options,
    click.option("--limit", type=int, help="At most this many train and test texts (stratified; the table says so)."),
    section("How to measure"),
    click.option("--tier", metavar="TIER", help="quick (default), standard, report or mlperf: how long to measure."),
    csv_option(
        "--scenario",
        "scenarios",
        "single (one request at a time), offline (all at once), server (Poisson).",
        "scenarios",
    ),
    click.option(
        "--p99-limit-ms",
        type=click.FloatRange(min=0, min_open=True),
        metavar="MS",
        help="Latency limit of the server scenario; 100 by default. The highest rate within it is looked for.",
    ),
    click.option("--seeds", type=int, help="Training seeds a method, 1 by default; 3 to 5 for a claim."),
    click.option(
        "--autotune",
        is_flag=True,
        help="First search batch size, token budget and threads of every engine; of a backend's precisions measure the "
        "fastest.",
    ),
    machine_options,
    click.option(
        "--cell-limit", "cell_limit_s", type=float, metavar="SECONDS", help="Time limit of each training or cell."
    ),
)


def selection_options(command: Command) -> Command:
    """What to run, where the data is, how to measure."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
