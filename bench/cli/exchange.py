"""The commands that exchange speed figures with pytest-benchmark."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from bench.cli.options import OneLineGroup, json_option


def add_commands(cli: click.Group) -> None:
    """Register them with the group."""
    cli.add_command(pytest_benchmark)


@click.group("pytest-benchmark", cls=OneLineGroup)
def pytest_benchmark() -> None:
    """Speed rows as pytest-benchmark's JSON, for its `compare` and its histograms; and its rows as ours."""


@pytest_benchmark.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("benchmark.json"), show_default=True)
def export(folder: Path, out: Path) -> None:
    """Write a run FOLDER's speed rows; then `pytest-benchmark compare FILE FILE --histogram`."""
    from bench.results.pytest_benchmark import export_run
    from bench.results.store import open_run, write_json

    content = export_run(open_run(folder))
    write_json(out, content)
    click.echo(f"written: {out} ({len(content['benchmarks'])} benchmarks)", err=True)


@pytest_benchmark.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def import_(file: Path, as_json: bool) -> None:
    """Show the rows of a FILE of `pytest --benchmark-json`: rate, and the percentiles its rounds support."""
    from rich.console import Console

    from bench import registry
    from bench.results.pytest_benchmark import import_rows

    rows = import_rows(file)
    if as_json:
        sys.stdout.write(json.dumps([row.model_dump() for row in rows], ensure_ascii=False, indent=1) + "\n")
        return
    registry.find("report", "benchmarks")(file.name, rows).print(Console(highlight=False))
