"""What the commands advise, export, merge and trend do."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import registry
from bench.cli.lengths import own_lengths
from bench.cli.report import print_leaderboard
from bench.errors import StoreError, UsageError
from bench.files.cache import write_whole
from bench.results.demands import Demands
from bench.results.merging import merge_runs
from bench.results.records import StoredRun
from bench.results.store import open_run

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


def advise_command(
    folder: Path,
    demands: dict[str, float | None],
    lengths: Path | None,
    between: tuple[str, str] | None,
    language: str,
    as_json: bool,
) -> None:
    """Weigh the rows and print what to deploy; without --price the price of the run."""
    run = open_run(folder)
    asked = Demands(**demands)
    if asked.price_per_hour is None:
        asked = asked.model_copy(update={"price_per_hour": run.settings.price_per_hour})
    own = own_lengths(lengths, run) if lengths else None
    page = registry.find("report", "advice")(registry.find("report", "advise")(run, asked, own, between), language)
    if as_json:
        sys.stdout.write(json.dumps(page.to_dict(), ensure_ascii=False, indent=1) + "\n")
    else:
        page.print(Console(highlight=False))


def export_command(folder: Path, form: str, out: Path | None) -> None:
    """Write one format; --out is needed for all but mlflow."""
    if out is None and form != "mlflow":
        raise UsageError(f"--format {form} needs --out: the file or folder to write")
    run = open_run(folder)
    if form in ("csv", "parquet") and out is not None:
        _write_rows(run, form, out)
    elif form == "model-index" and out is not None:
        _write_cards(run, out)
    else:
        out = registry.find("report", form)(run, out)
    Console(stderr=True, highlight=False).print(f"written: {out}", soft_wrap=True)


def merge_command(folders: tuple[Path, ...], out: Path, language: str, *, full: bool, as_json: bool) -> None:
    """Merge, then print the leaderboards of the whole."""
    merge_runs(folders, out)
    print_leaderboard(out, as_json, language=language, full=full)


def trend_command(folders: tuple[Path, ...], page: Path | None, language: str, as_json: bool) -> None:
    """Print the trends of two run folders or more; write the page where asked for."""
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise UsageError("bench trend takes two or more different run folders")
    if page is not None and page.is_dir():
        raise StoreError(f"--html {page} is a folder; name a file")
    history = registry.find("report", "trends")([open_run(folder) for folder in folders])
    shown = registry.find("report", "trend")(history, language)
    if as_json:
        sys.stdout.write(json.dumps(shown.to_dict(), ensure_ascii=False, indent=1) + "\n")
    else:
        shown.print(Console(highlight=False))
    if page is not None:
        write_whole(page, shown.page().encode("utf-8"))
        Console(stderr=True, highlight=False).print(f"written: {page}", soft_wrap=True, markup=False)


def _write_rows(run: StoredRun, form: str, out: Path) -> None:
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
    for name, card in registry.find("report", "model-index")(run).items():
        write_whole(out / name / "README.md", card.encode("utf-8"))
