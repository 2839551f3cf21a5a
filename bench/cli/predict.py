"""Labels texts with classifiers that were trained: the command predict."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import json_option, machine_options
from bench.errors import DataError, UsageError
from bench.machine.terminal import print_json

if TYPE_CHECKING:
    from bench.data.reading import Reading
    from bench.execution.predict import Predictor

SHOWN_AT_ONCE = 1000


def add_commands(cli: click.Group) -> None:
    """Register it with the group."""
    cli.add_command(predict)


@click.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MODEL...")
@click.option("--text", "texts", multiple=True, help="A text to classify; may be given several times.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    help="One text a line; or CSV, TSV, JSON, JSONL, parquet, which come out with label and probabilities.",
)
@click.option("--text-column", metavar="NAME,...", help="Column of the texts in --file: name, position or path.")
@click.option("--encoding", metavar="NAME", help="Encoding of --file. Default: UTF-8 or its mark.")
@click.option("--delimiter", metavar="SIGN", help="What divides the columns of --file, such as ';' or tab.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the rows of --file there.")
@click.option("--engine", help="Engine to serve with. Default: the reference engine of the model's kind.")
@machine_options
@json_option
def predict(
    models: tuple[Path, ...],
    texts: tuple[str, ...],
    file: Path | None,
    text_column: str | None,
    encoding: str | None,
    delimiter: str | None,
    out: Path | None,
    engine: str | None,
    device: str | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Label texts with one MODEL folder, or several side by side.

    One line of --file in, one row out. Without --text and --file a prompt asks for texts; q leaves.
    """
    from bench.data.reading import Reading
    from bench.execution.predict import Predictor

    if texts and file:
        raise UsageError("--text and --file cannot both be given")
    if out and not file:
        raise UsageError("--out is where the rows of --file go; give --file, too")
    if file and not file.is_file():
        raise DataError(f"--file {file}: no such file")
    reading = Reading(text_column=text_column, encoding=encoding, delimiter=delimiter)
    given = list(texts) if texts else None
    with Predictor(models, engine, device, threads) as predictor:
        if file is not None:
            _predict_file(predictor, file, reading, out, as_json)
        elif given is None and not sys.stdin.isatty():
            _predict_stream(predictor, as_json)
        elif given is None:
            _prompt(predictor)
        elif as_json:
            print_json(predictor.rows(given))
        else:
            from bench.cli.views import print_predictions

            print_predictions(predictor.rows(given))


def _predict_stream(predictor: Predictor, as_json: bool) -> None:
    """Standard input, one text a line."""
    from bench.execution.predict_files import answered, number_lines, write_json

    rows = answered(predictor, number_lines(sys.stdin.buffer, "standard input"))
    if as_json:
        write_json(rows, sys.stdout)
    else:
        _print_rows(rows)


def _print_rows(rows: Iterator[dict[str, Any]]) -> None:
    from bench.cli.views import print_predictions

    while shown := list(islice(rows, SHOWN_AT_ONCE)):
        print_predictions(shown)


def _predict_file(predictor: Predictor, file: Path, reading: Reading, out: Path | None, as_json: bool) -> None:
    """A stream of rows for machines; for a person, and for plain lines of text, a table."""
    from bench.execution.predict_files import is_table, label_file, rows_of

    if out is None and not as_json and (sys.stdout.isatty() or not is_table(file, reading)):
        _print_rows(rows_of(predictor, file, reading))
        return
    count = label_file(predictor, file, reading, out, as_json)
    if out is not None and not as_json:
        click.echo(f"{count:,} rows in {out}")


def _prompt(predictor: Any) -> None:
    """Ask for texts until q, an end of input or Ctrl-C."""
    from bench.cli.views import print_predictions

    click.echo("Enter a text to classify; q leaves.")
    while True:
        try:
            text = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return
        if text == "q":
            return
        if text:
            print_predictions(predictor.rows([text]))
