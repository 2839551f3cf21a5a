"""Tries reading libraries on files in the shapes that people have: how many come out with every text and label right.

Each library is given the file and nothing else but what a user must say in any case (columns that no header names, an
encoding that is not marked). A file whose rows come out right counts as right; a file that must be refused counts as
right where the library raises. Writes the table of benchmarks/readers.md to standard output.

    pip install datasets duckdb clevercsv pandas
    PYTHONPATH=.:tests/support python benchmarks/readers.py
"""

from __future__ import annotations

import importlib.metadata
import io
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from awkward_files import KINDS, Awkward, write_case

Rows = list[tuple[str, str]]


def _pick(names: Sequence[str], cells: Sequence[Sequence[Any]], case: Awkward) -> Rows:
    """Text and label of each row: the columns asked for, those usually named so, else the first and second."""
    names = [str(name).strip() for name in names]
    asked = case.options.get("text_column", "text").split(",")
    label = case.options.get("label_column", "label")

    def at(name: str, otherwise: int) -> int:
        if name in names:
            return names.index(name)
        return int(name) - 1 if name.isdecimal() else otherwise

    columns = [at(name, 0) for name in asked]
    label_at = at(label, 1)
    return [(" ".join(str(row[c]) for c in columns), _label(row[label_at])) for row in cells]


def _label(value: Any) -> str:
    number = isinstance(value, float) or type(value).__name__ == "Decimal"
    return str(int(value)) if number and value == int(value) else str(value)


def read_pandas(path: Path, case: Awkward) -> Rows:
    import pandas

    if ".parquet" in path.name:
        frame = pandas.read_parquet(path)
    elif ".json" in path.name or ".ndjson" in path.name:
        frame = pandas.read_json(path, lines=".json" not in path.suffixes[:1] or ".jsonl" in path.name)
    else:
        encoding = case.options.get("encoding", "utf-8")
        frame = pandas.read_csv(path, sep=None, engine="python", encoding=encoding, dtype=str)
    return _pick(list(frame.columns), frame.values.tolist(), case)


def read_pyarrow(path: Path, case: Awkward) -> Rows:
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    if ".parquet" in path.name:
        table = pyarrow.parquet.read_table(path)
    elif "json" in path.name:
        table = pyarrow.json.read_json(path)
    else:
        table = pyarrow.csv.read_csv(path, pyarrow.csv.ReadOptions(encoding=case.options.get("encoding", "utf8")))
    return _pick(table.column_names, [tuple(row.values()) for row in table.to_pylist()], case)


def read_duckdb(path: Path, case: Awkward) -> Rows:
    import duckdb

    function = "read_csv"
    if ".parquet" in path.name:
        function = "read_parquet"
    elif "json" in path.name:
        function = "read_json_auto"
    encoding = f", encoding='{case.options['encoding']}'" if "encoding" in case.options else ""
    every = ", all_varchar=true" if function == "read_csv" else ""
    found = duckdb.connect().execute(f"SELECT * FROM {function}('{path}'{every}{encoding})")  # noqa: S608 - our own file
    return _pick([column[0] for column in found.description], found.fetchall(), case)


def read_clevercsv(path: Path, case: Awkward) -> Rows:
    import clevercsv

    content = path.read_bytes().decode(case.options.get("encoding", clevercsv.encoding.get_encoding(str(path))))
    dialect = clevercsv.Sniffer().sniff(content)
    cells = [row for row in clevercsv.reader(io.StringIO(content, newline=""), dialect) if row]
    header = clevercsv.Sniffer().has_header(content)
    return _pick(cells[0] if header else [], cells[1:] if header else cells, case)


def read_datasets(path: Path, case: Awkward) -> Rows:
    import datasets

    kind = "parquet" if ".parquet" in path.name else "json" if "json" in path.name else "csv"
    options = {"encoding": case.options["encoding"]} if "encoding" in case.options else {}
    with tempfile.TemporaryDirectory() as cache:
        found = datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=cache, **options)
        rows = [tuple(row.values()) for row in found]
        names = found.column_names
        for name, feature in found.features.items():
            if isinstance(feature, datasets.ClassLabel):
                at = names.index(name)
                rows = [(*row[:at], feature.int2str(row[at]), *row[at + 1 :]) for row in rows]
    return _pick(names, rows, case)


def read_bench(path: Path, case: Awkward) -> Rows:
    from bench.data.readers import read_table
    from bench.data.reading import Reading

    table = read_table(path, Reading(**case.options))
    return list(zip(table.texts, table.labels, strict=True))


LIBRARIES: dict[str, tuple[str | None, Callable[[Path, Awkward], Rows]]] = {
    "pandas, sep=None": ("pandas", read_pandas),
    "pyarrow": ("pyarrow", read_pyarrow),
    "DuckDB sniffer": ("duckdb", read_duckdb),
    "clevercsv": ("clevercsv", read_clevercsv),
    "datasets": ("datasets", read_datasets),
    "bench": (None, read_bench),
}


def outcome(read: Callable[[Path, Awkward], Rows], case: Awkward, folder: Path) -> str:
    """right, wrong (rows that are not those of the file, without a word) or error."""
    path = write_case(case, folder)
    try:
        rows = read(path, case)
    except Exception:  # whatever a library raises is a refusal
        return "right" if case.refusal else "error"
    turned = [(text, label) for label, text in rows]
    return "right" if case.rows in (rows, turned) else "wrong"


def main() -> None:
    logging.disable(logging.WARNING)
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    print("| reader | version | " + " | ".join(f"{kind}: right, silently wrong, error" for kind in KINDS) + " | s |")
    print("|---|---|" + "---|" * (len(KINDS) + 1))
    for name, (package, read) in LIBRARIES.items():
        if package is not None and not _installed(package):
            print(f"| {name} | not installed |" + " |" * (len(KINDS) + 1))
            continue
        started = time.perf_counter()
        cells, failed = [], []
        with tempfile.TemporaryDirectory() as scratch:
            for make in KINDS.values():
                found = {case: outcome(read, content, Path(scratch) / case) for case, content in make().items()}
                counts = [list(found.values()).count(kind) for kind in ("right", "wrong", "error")]
                cells.append(f"{counts[0]}, {counts[1]}, {counts[2]} of {len(found)}")
                failed += [f"{case} ({kind})" for case, kind in found.items() if kind != "right"]
        version = importlib.metadata.version(package) if package else ""
        print(f"| {name} | {version} | {' | '.join(cells)} | {time.perf_counter() - started:.1f} |", flush=True)
        if "--failed" in sys.argv:
            print(f"  {name}: {', '.join(failed)}", file=sys.stderr)


def _installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
