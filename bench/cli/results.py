"""The commands that use results: advise, export, merge, trend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bench.cli.options import full_option, json_option, lang_option
from bench.cli.units import parse_accuracy, parse_milliseconds, parse_price, parse_rate, parse_share

FORMATS = ("csv", "parquet", "model-index", "mlflow", "tensorboard")


def add_commands(cli: click.Group) -> None:
    """Register them with the group."""
    for command in (advise, export, merge, trend):
        cli.add_command(command)


class Unit(click.ParamType):
    """A number with a unit, as people type it."""

    name = "number"

    def __init__(self, parse: Callable[[str], float]) -> None:
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from bench.errors import UsageError

        try:
            return value if isinstance(value, float) else self.parse(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--rps", type=Unit(parse_rate), metavar="N", help="Requests a second it must take, e.g. 500.")
@click.option("--p99", "p99_ms", type=Unit(parse_milliseconds), metavar="TIME", help="Slowest 1 %, e.g. 20ms or 0.02s.")
@click.option("--min-f1", type=Unit(parse_share), metavar="SHARE", help="Macro F1 it must reach, e.g. 0.93 or 93%.")
@click.option(
    "--accuracy",
    type=Unit(parse_accuracy),
    metavar="SHARE",
    help="Automate what reaches this accuracy, e.g. 0.99; a person answers the rest.",
)
@click.option(
    "--price", "price_per_hour", type=Unit(parse_price), metavar="PRICE", help="Price of the machine, e.g. 1.2/h."
)
@click.option(
    "--lengths",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Your own texts, or their token counts, one a line: rates are estimated for them.",
)
@click.option(
    "--between",
    nargs=2,
    metavar="ROW ROW",
    help="Break-even volume of two rows, named as RECIPE/ENGINE, e.g. tfidf/sklearn lora/onnx.",
)
@lang_option
@json_option
def advise(
    folder: Path,
    lengths: Path | None,
    between: tuple[str, str] | None,
    language: str,
    as_json: bool,
    **demands: float | None,
) -> None:
    """Name the row of a run FOLDER to deploy, the runner-up, and how sure that is.

    With --min-f1 the cheapest row that meets the demands; with --accuracy the one that automates the most; else the
    best one.
    """
    from bench.cli.result_commands import advise_command

    advise_command(folder, demands, lengths, between, language, as_json)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="What to write.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A file (csv, parquet) or a folder (model-index, tensorboard; mlflow: default MLFLOW_TRACKING_URI).",
)
def export(folder: Path, form: str, out: Path | None) -> None:
    """Write the results of a run FOLDER where people keep results.

    \b
    csv, parquet   one row a cell, every figure with its interval
    model-index    a Hugging Face model card for each classifier
    mlflow         a run a cell: parameters, figures, training curves
    tensorboard    training curves and figures
    """
    from bench.cli.result_commands import export_command

    export_command(folder, form, out)


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN RUN...")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The merged run folder: new or empty.")
@full_option
@lang_option
@json_option
def merge(folders: tuple[Path, ...], out: Path, full: bool, language: str, as_json: bool) -> None:
    """Put the RUNs of several machines into one leaderboard.

    Quality is ranked over all of them, speed on each machine alone.
    """
    from bench.cli.result_commands import merge_command

    merge_command(folders, out, language, full=full, as_json=as_json)


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN RUN...")
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with pictures.")
@lang_option
@json_option
def trend(folders: tuple[Path, ...], page: Path | None, language: str, as_json: bool) -> None:
    """Show how each row's figures went over several RUNs, and which slide or change beyond chance.

    Runs are ordered by the time they ended. Quality is followed on the same texts, rates on the same machine.
    """
    from bench.cli.result_commands import trend_command

    trend_command(folders, page, language, as_json)
