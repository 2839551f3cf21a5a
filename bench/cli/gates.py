"""Compares runs: the commands baseline, check, compare and attribute."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import json_option, lang_option
from bench.machine.terminal import print_json

if TYPE_CHECKING:
    from bench.gates.quality_rules import QualityRule
    from bench.gates.speed_check import SpeedOptions
    from bench.results.verdicts import Check

EXIT_CODES = {"PASS": 0, "REGRESSED": 9, "INCONCLUSIVE": 10}


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

margin_option = click.option(
    "--margin",
    "margin_points",
    type=click.FloatRange(min=0, min_open=True, max=100),
    default=0.5,
    show_default=True,
    help="Points of accuracy or macro F1 that a result may lose; it does not grow where few texts were answered.",
)
spread_option = click.option(
    "--seed-spread",
    "spread_points",
    type=click.FloatRange(min=0, max=100),
    default=1.0,
    show_default=True,
    help="Points (standard deviation) between two trainings of one recipe, assumed for retrained results with fewer "
    "than 3 seeds in both runs; 0 judges the very classifier instead of its training.",
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
    from bench.gates.baseline import make_baseline, write_baseline
    from bench.machine.consoles import SafeConsole
    from bench.results.store import open_run

    made = make_baseline(open_run(folder))
    write_baseline(out, made)
    size_kb = out.stat().st_size / 1000
    SafeConsole(stderr=True, highlight=False).print(
        f"written: {out} ({len(made.rows)} results, {size_kb:,.0f} kB); commit it and run `bench check`",
        soft_wrap=True,
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@baseline_option
@margin_option
@spread_option
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
    margin_points: float,
    spread_points: float,
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

    Quality is a test of non-inferiority: a result passes where the 95 % intervals of its accuracy and of its macro F1
    lie above minus the --margin, and has regressed where one lies below 0 (in at most 1 % of checks without a change).
    A result whose classifier is the same and gives the same answers passes.

    --speed measures the base again beside the head, never a stored figure; both classifiers must be on this machine.
    --base-source and --base-python name the base's code and libraries where those changed and not the classifier.

    Exit codes: 0 all results pass; 8 not comparable (other data, labels or classes; speed of another machine); 9 a
    result regressed or failed; 10 nothing regressed, but a result is not settled or missing.
    """
    from bench import registry
    from bench.errors import UsageError
    from bench.files.cache import write_whole
    from bench.gates.quality_rules import QualityRule
    from bench.gates.speed_check import SpeedOptions

    if not speed and (base_source or base_python or turns):
        raise UsageError("--base-source, --base-python and --turns belong to --speed; add it or leave them out")
    options = SpeedOptions.of(base_source, base_python, turns) if speed else None
    judged = _judge(folder, baseline_file, QualityRule.of_points(margin_points, spread_points), options)
    page = registry.find("report", "check")(judged, language)
    if markdown:
        write_whole(markdown, page.markdown.encode("utf-8"))
    if junit:
        write_whole(junit, page.junit.encode("utf-8"))
    _print_page(page, as_json)
    return EXIT_CODES[judged.verdict]


def _judge(folder: Path, baseline_file: Path, rule: QualityRule, speed: SpeedOptions | None) -> Check:
    from bench.execution.console import RunConsole
    from bench.gates.baseline import open_baseline
    from bench.gates.check import check_run
    from bench.gates.speed_check import gate_speed
    from bench.results.store import open_run

    run, base = open_run(folder), open_baseline(baseline_file)
    judged = check_run(run, base, rule)
    if speed is None:
        return judged
    base_folder = baseline_file if baseline_file.is_dir() else None
    with RunConsole(quiet=False) as console:
        return gate_speed(judged, run, base, base_folder, speed, console)


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@lang_option
@json_option
def compare(old: Path, new: Path, language: str, as_json: bool) -> None:
    """Show what changed in quality from the run folder OLD to the run folder NEW, result by result."""
    from bench import registry
    from bench.gates.baseline import make_baseline
    from bench.gates.check import check_run
    from bench.results.store import open_run

    judged = check_run(open_run(new), make_baseline(open_run(old)))
    _print_page(registry.find("report", "check")(judged, language), as_json)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@baseline_option
@margin_option
@spread_option
@click.option("--base-source", type=click.Path(path_type=Path), help="The base's checkout of this harness.")
@click.option("--base-python", type=click.Path(path_type=Path), help="The base's Python interpreter.")
@lang_option
@json_option
def attribute(
    folder: Path,
    baseline_file: Path,
    margin_points: float,
    spread_points: float,
    base_source: Path | None,
    base_python: Path | None,
    language: str,
    as_json: bool,
) -> None:
    """Name what made the regressed results of a run FOLDER worse: weights, tokenizer, engine, libraries and code.

    Each part of the head is put back to the base's, alone, and the result is judged again. Both classifiers must be on
    this machine; libraries and code are tried where --base-source or --base-python names the base's.
    """
    from bench import registry
    from bench.execution.console import RunConsole
    from bench.gates import attribution
    from bench.gates.baseline import open_baseline
    from bench.gates.quality_rules import QualityRule
    from bench.gates.speed_check import SpeedOptions
    from bench.results.store import open_run

    options = SpeedOptions.of(base_source, base_python, None)
    rule = QualityRule.of_points(margin_points, spread_points)
    base_folder = baseline_file if baseline_file.is_dir() else None
    with RunConsole(quiet=False) as console:
        run, base = open_run(folder), open_baseline(baseline_file)
        attributions = attribution.attribute(run, base, base_folder, options, console, rule)
    _print_page(registry.find("report", "attribution")(attributions, language), as_json)


def _print_page(page: Any, as_json: bool) -> None:
    from bench.machine.consoles import SafeConsole

    if as_json:
        print_json(page.to_dict())
    else:
        page.print(SafeConsole(highlight=False))
