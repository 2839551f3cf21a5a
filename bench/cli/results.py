"""Uses results: the commands advise, export, merge, trend and pytest-benchmark."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import full_option, json_option, lang_option
from bench.cli.parameters import OneLineGroup, Unit
from bench.cli.units import parse_accuracy, parse_milliseconds, parse_price, parse_rate, parse_share
from bench.machine.terminal import print_json, visible

if TYPE_CHECKING:
    from bench.results.records import StoredRun

FORMATS = ("csv", "parquet", "model-index", "mlflow", "tensorboard")
FORMULA_STARTS = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "'",
    "＝",
    "＋",
    "－",
    "＠",
)  # https://owasp.org/www-community/attacks/CSV_Injection


def add_commands(cli: click.Group) -> None:
    """Register them with the group."""
    for command in (advise, export, merge, trend, pytest_benchmark):
        cli.add_command(command)


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
    metavar="RESULT RESULT",
    help="Break-even volume of two results, named as RECIPE/ENGINE, e.g. tfidf/sklearn lora/onnx.",
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
    """Name the result of a run FOLDER to deploy, the runner-up, and how sure that is.

    With --min-f1 the cheapest result that meets the demands; with --accuracy the one that automates the most; else the
    best one.
    """
    from bench import registry
    from bench.cli.lengths import own_lengths
    from bench.machine.consoles import SafeConsole
    from bench.results.demands import Demands
    from bench.results.store import open_run

    run = open_run(folder)
    asked = Demands(**demands)
    if asked.price_per_hour is None:
        asked = asked.model_copy(update={"price_per_hour": run.settings.price_per_hour})
    own = own_lengths(lengths, run) if lengths else None
    page = registry.find("report", "advice")(registry.find("report", "advise")(run, asked, own, between), language)
    if as_json:
        print_json(page.to_dict())
    else:
        page.print(SafeConsole(highlight=False))


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
    from bench import registry
    from bench.errors import UsageError
    from bench.machine.consoles import SafeConsole
    from bench.results.store import open_run

    if out is None and form != "mlflow":
        raise UsageError(f"--format {form} needs --out: the file or folder to write")
    run = open_run(folder)
    if form in ("csv", "parquet") and out is not None:
        _write_rows(run, form, out)
    elif form == "model-index" and out is not None:
        _write_cards(run, out)
    else:
        out = registry.find("report", form)(run, out)
    SafeConsole(stderr=True, highlight=False).print(f"written: {out}", soft_wrap=True)


def _write_rows(run: StoredRun, form: str, out: Path) -> None:
    from bench import registry
    from bench.files.cache import write_whole

    rows: list[dict[str, Any]] = registry.find("report", "rows")(run)
    if form == "csv":
        write_whole(out, csv_text(rows).encode("utf-8"))
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink, compression="zstd")
    write_whole(out, sink.getvalue().to_pybytes())


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of the same columns as RFC 4180 has them; lines end in CRLF, without which a lone CR would not be quoted.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, as OWASP advises, and one that begins
    with an apostrophe gets another, so that taking the first one away gives every text back.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows({name: _not_a_formula(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _not_a_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _write_cards(run: StoredRun, out: Path) -> None:
    """A folder a classifier with its README.md, as a model repository has it."""
    from bench import registry
    from bench.files.cache import write_whole

    for name, card in registry.find("report", "model-index")(run).items():
        write_whole(out / name / "README.md", card.encode("utf-8"))


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
    from bench.cli.report import print_leaderboard
    from bench.results.merging import merge_runs

    merge_runs(folders, out)
    print_leaderboard(out, as_json, language=language, full=full)


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN RUN...")
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with pictures.")
@lang_option
@json_option
def trend(folders: tuple[Path, ...], page: Path | None, language: str, as_json: bool) -> None:
    """Show how each result's figures went over several RUNs, and which slide or change beyond chance.

    Runs are ordered by the time they ended. Quality is followed on the same texts, rates on the same machine.
    """
    from bench import registry
    from bench.errors import StoreError, UsageError
    from bench.files.cache import write_whole
    from bench.machine.consoles import SafeConsole
    from bench.results.store import open_run

    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise UsageError("bench trend takes two or more different run folders")
    if page is not None and page.is_dir():
        raise StoreError(f"--html {page} is a folder; name a file")
    history = registry.find("report", "trends")([open_run(folder) for folder in folders])
    shown = registry.find("report", "trend")(history, language)
    if as_json:
        print_json(shown.to_dict())
    else:
        shown.print(SafeConsole(highlight=False))
    if page is not None:
        write_whole(page, shown.page().encode("utf-8"))
        click.echo(visible(f"written: {page}"), err=True)


@click.group("pytest-benchmark", cls=OneLineGroup)
def pytest_benchmark() -> None:
    """Speed results as pytest-benchmark's JSON, for its `compare` and its histograms; and its benchmarks as ours."""


@pytest_benchmark.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("benchmark.json"), show_default=True)
def export_benchmarks(folder: Path, out: Path) -> None:
    """Write a run FOLDER's speed results; then `pytest-benchmark compare FILE FILE --histogram`."""
    from bench.results.pytest_benchmark import export_run
    from bench.results.store import open_run, write_json

    content = export_run(open_run(folder))
    write_json(out, content)
    click.echo(visible(f"written: {out} ({len(content['benchmarks'])} benchmarks)"), err=True)


@pytest_benchmark.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def import_benchmarks(file: Path, as_json: bool) -> None:
    """Show the benchmarks of a FILE of `pytest --benchmark-json`: rate, and the percentiles its rounds support."""
    from bench import registry
    from bench.machine.consoles import SafeConsole
    from bench.results.pytest_benchmark import read_benchmarks

    benchmarks = read_benchmarks(file)
    if as_json:
        print_json([benchmark.model_dump() for benchmark in benchmarks])
        return
    registry.find("report", "benchmarks")(file.name, benchmarks).print(SafeConsole(highlight=False))
