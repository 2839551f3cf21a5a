"""The commands that compare runs: baseline, check, compare, attribute."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import json_option, lang_option


def add_commands(cli: click.Group) -> None:
    """Register them with the group."""
    for command in (baseline, check, compare, attribute):
        cli.add_command(command)


baseline_option = click.option(
    "--baseline",
    "baseline_file",
    type=click.Path(path_type=Path),
    default=Path("bench-baseline.json"),
    show_default=True,
    help="A file written by `bench baseline`, or a run folder.",
)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("bench-baseline.json"),
    show_default=True,
    help="The baseline, small enough to commit.",
)
def baseline(folder: Path, out: Path) -> None:
    """Write the answers of a run FOLDER as a baseline for `bench check`."""
    from bench.cli.gate_commands import baseline_command

    baseline_command(folder, out)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@baseline_option
@click.option("--speed", is_flag=True, help="Also judge speed: measure base and head here, by turns.")
@click.option(
    "--base-source", type=click.Path(path_type=Path), help="With --speed: the base's checkout of this harness."
)
@click.option("--base-python", type=click.Path(path_type=Path), help="With --speed: the base's Python interpreter.")
@click.option("--turns", type=click.IntRange(min=10), help="With --speed: at most this many turns a scenario, 120.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Also write the verdicts as markdown, for a CI job.")
@click.option("--junit", type=click.Path(path_type=Path), help="Also write the verdicts as JUnit XML.")
@lang_option
@json_option
def check(
    folder: Path,
    baseline_file: Path,
    speed: bool,
    base_source: Path | None,
    base_python: Path | None,
    turns: int | None,
    markdown: Path | None,
    junit: Path | None,
    language: str,
    as_json: bool,
) -> int:
    """Judge a run FOLDER against a baseline: its quality item by item, with --speed its speed by turns.

    --speed measures the base again beside the head, never a stored figure; both classifiers must be on this machine.
    --base-source and --base-python name the base's code and libraries where those changed and not the classifier.

    Exit codes: 0 all rows pass; 8 not comparable (other data, labels or classes; speed of another machine); 9 a row
    regressed or failed; 10 nothing regressed, but a row is not settled or missing.
    """
    from bench.cli.gate_commands import check_command
    from bench.errors import UsageError
    from bench.gates.speed_rows import SpeedOptions

    if not speed and (base_source or base_python or turns):
        raise UsageError("--base-source, --base-python and --turns belong to --speed; add it or leave them out")
    options = SpeedOptions.of(base_source, base_python, turns) if speed else None
    return check_command(folder, baseline_file, markdown, junit, options, language, as_json=as_json)


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@lang_option
@json_option
def compare(old: Path, new: Path, language: str, as_json: bool) -> None:
    """Show what changed in quality from the run folder OLD to the run folder NEW, row by row."""
    from bench.cli.gate_commands import compare_command

    compare_command(old, new, language, as_json=as_json)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@baseline_option
@click.option("--base-source", type=click.Path(path_type=Path), help="The base's checkout of this harness.")
@click.option("--base-python", type=click.Path(path_type=Path), help="The base's Python interpreter.")
@lang_option
@json_option
def attribute(
    folder: Path,
    baseline_file: Path,
    base_source: Path | None,
    base_python: Path | None,
    language: str,
    as_json: bool,
) -> None:
    """Name what made the regressed rows of a run FOLDER worse: weights, tokenizer, engine, libraries and code.

    Each part of the head is put back to the base's, alone, and the row is judged again. Both classifiers must be on
    this machine; libraries and code are tried where --base-source or --base-python names the base's.
    """
    from bench.cli.gate_commands import attribute_command
    from bench.gates.speed_rows import SpeedOptions

    options = SpeedOptions.of(base_source, base_python, None)
    attribute_command(folder, baseline_file, options, language, as_json=as_json)
