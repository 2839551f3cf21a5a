"""Reads parquet and Arrow files; classes that the hub's metadata names come out by their names."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.data.columns import LABEL_NAMES, TEXT_NAMES
from bench.data.reading import Reading
from bench.data.tables import Facts, Rows, shortened
from bench.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(path: Path, data: bytes, reading: Reading) -> Rows:
    """The columns of a parquet file that can be texts or labels; the others are None."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(data) if data else path)
        names = tuple(file.schema_arrow.names)
        _refuse_duplicates(path, names)
        table = file.read(columns=_choose(names, reading))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, "parquet", error) from error
    return _rows(path, table, names, "parquet")


def read_arrow(path: Path, data: bytes, _reading: Reading) -> Rows:
    """An Arrow file or stream, as the hub's library saves data sets."""
    import pyarrow as pa

    try:
        try:
            table = pa.ipc.open_file(io.BytesIO(data)).read_all()
        except pa.ArrowInvalid:
            table = pa.ipc.open_stream(io.BytesIO(data)).read_all()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(path, "Arrow", error) from error
    return _rows(path, table, tuple(table.column_names), "Arrow")


# the readers by the ending of a file's name: all that another binary format has to add here
BINARY = {".parquet": read_parquet, ".pq": read_parquet, ".arrow": read_arrow, ".feather": read_arrow}


def _unreadable(path: Path, kind: str, error: Exception) -> DataError:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return DataError(f"{path} is no readable {kind} file ({reason}); fetch or write it again")


def _refuse_duplicates(path: Path, names: Sequence[str]) -> None:
    twice = [name for name in names if list(names).count(name) > 1]
    if twice:
        raise DataError(f"{path} has more than one column named '{twice[0]}'; rename or remove one")


def _choose(names: Sequence[str], reading: Reading) -> list[str]:
    """Columns worth reading: those asked for, by name, path or position, and those with usual names."""
    asked = [part.strip() for name in (reading.text_column, reading.label_column) if name for part in name.split(",")]
    asked += [name for name in (reading.text_column, reading.label_column) if name]
    positions = {int(part) - 1 for part in asked if part.isdecimal()}
    roots = {part.partition(".")[0] for part in asked}
    usual = {*TEXT_NAMES, *LABEL_NAMES}
    return [
        name
        for at, name in enumerate(names)
        if at in positions or name in asked or name in roots or name.lower().strip() in usual or len(names) == 2
    ]


def _rows(path: Path, table: pa.Table, names: tuple[str, ...], kind: str) -> Rows:
    from bench.data.json_files import from_records

    if not table.num_rows:
        raise DataError(f"{path} holds no rows")
    named = class_names(table.schema.metadata or {})
    found = {}
    for name in table.column_names:
        values = table.column(name).to_pylist()
        found[name] = [_class_name(path, row, value, named[name]) for row, value in enumerate(values, 1)] \
            if name in named else values  # fmt: skip
    lines = list(range(1, table.num_rows + 1))
    if any(isinstance(value, dict) for values in found.values() for value in values[:1]):
        records = [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]
        return from_records(path, records, lines, "row", Facts(kind))
    blank = [None] * table.num_rows
    cells = list(zip(*(found.get(name, blank) for name in names), strict=True))
    first = tuple(tuple(shortened(cell, 80) for cell in row) for row in cells[:3])
    return Rows(cells, lines, names, Facts(kind, None, None, names, first), unit="row", classes=named)


def class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """The names of the classes of each ClassLabel column, from what the hub's library writes into the file."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: list(feature["names"])
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _class_name(path: Path, row: int, value: Any, names: list[str]) -> Any:
    if value is None or value == -1:  # what the hub's library writes for a text without a label
        return None
    if isinstance(value, int) and 0 <= value < len(names):
        return names[value]
    raise DataError(f"{path} row {row}: label {value} is none of the {len(names)} classes that the file names")
