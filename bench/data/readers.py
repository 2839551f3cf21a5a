"""Labelled texts out of a file: parquet, CSV, TSV (text<TAB>label) or JSONL, with a header or without."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import DataError

TEXT_NAMES = ("text", "sentence", "review", "content", "comment", "tweet", "document", "文本", "内容", "评论")
LABEL_NAMES = ("label", "class", "category", "sentiment", "target", "topic", "stars", "rating", "标签", "类别")


@dataclass(frozen=True)
class Table:
    """Texts and raw labels of one file, in its order; `lines` are what a person counts to find them (from 1).

    `rows` are the row numbers (from 0) in the file when some rows have been left out.
    """

    path: Path
    texts: list[str]
    labels: list[str]
    lines: list[int]
    unit: str
    columns: tuple[str, str] | None = None
    rows: list[int] | None = None

    def where(self, row: int) -> str:
        return f"{self.path} {self.unit} {self.lines[row]}"


@dataclass(frozen=True)
class _Rows:
    """Cells of a text file, all rows equally long; `names` only when the first line was a header."""

    cells: list[Sequence[Any]]
    lines: list[int]
    names: tuple[str, ...] | None
    unit: str = "line"


def read_table(path: Path, text_column: str | None = None, label_column: str | None = None) -> Table:
    """Read one file; raises DataError, in one line, for anything that is not two clean columns."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: cannot read '{path.suffix}' files; known: {', '.join(_READERS)}")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    if size == 0:
        raise DataError(f"{path} is empty")
    named = text_column is not None or label_column is not None
    rows = reader(path, (text_column, label_column), named)
    if not rows.cells:
        raise DataError(f"{path} holds no rows")
    text_at, label_at = _columns(path, rows, text_column, label_column)
    columns = (rows.names[text_at], rows.names[label_at]) if rows.names else None
    texts = [_text(path, rows, row, text_at) for row in range(len(rows.cells))]
    labels = [_label(path, rows, row, label_at) for row in range(len(rows.cells))]
    return Table(path=path, texts=texts, labels=labels, lines=rows.lines, unit=rows.unit, columns=columns)


def data_suffixes() -> tuple[str, ...]:
    """The file name endings that can be read."""
    return tuple(_READERS)


# ---------------------------------------------------------------- columns and cells


def _columns(path: Path, rows: _Rows, text_column: str | None, label_column: str | None) -> tuple[int, int]:
    if rows.names is None:
        return _positions(path, rows)
    _refuse_duplicates(path, rows.names)
    text_at = _column(path, rows.names, text_column, TEXT_NAMES, "--text-column")
    label_at = _column(path, rows.names, label_column, LABEL_NAMES, "--label-column")
    if text_at == label_at:
        raise DataError(f"{path}: column '{rows.names[text_at]}' cannot be both the text and the label")
    return text_at, label_at


def _refuse_duplicates(path: Path, names: tuple[str, ...]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{path} has more than one column named '{twice[0]}'; rename or remove one")


def _column(path: Path, names: tuple[str, ...], chosen: str | None, usual: tuple[str, ...], option: str) -> int:
    if chosen is not None:
        if chosen not in names:
            raise DataError(f"{path} has no column '{chosen}'; its columns: {', '.join(names)}")
        return names.index(chosen)
    lower = [name.lower().strip() for name in names]
    for name in usual:
        if name in lower:
            return lower.index(name)
    raise DataError(f"{path}: choose a column with {option}; its columns: {', '.join(names)}")


def _positions(path: Path, rows: _Rows) -> tuple[int, int]:
    """Without a header: two columns, and the labels are the column with fewer different values."""
    if len(rows.cells[0]) != 2:
        raise DataError(
            f"{path} has {len(rows.cells[0])} columns and no header that names a text and a label column; "
            "name them with --text-column and --label-column"
        )
    first, second = (Counter(cells[at] for cells in rows.cells) for at in (0, 1))
    label_at = 0 if len(first) < len(second) else 1
    labels = (first, second)[label_at]
    if labels[rows.cells[0][label_at]] == 1 and len(rows.cells) > 2:
        raise DataError(
            f"{path}: line {rows.lines[0]} may be a header (its label '{rows.cells[0][label_at]}' occurs once); "
            "name the columns with --text-column and --label-column"
        )
    return 1 - label_at, label_at


def _text(path: Path, rows: _Rows, row: int, at: int) -> str:
    value = rows.cells[row][at]
    if isinstance(value, str) and value.strip():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise DataError(f"{path} {rows.unit} {rows.lines[row]}: the text is not valid Unicode") from error
        return value
    problem = "empty text" if value is None or isinstance(value, str) else f"the text is a {type(value).__name__}"
    raise DataError(f"{path} {rows.unit} {rows.lines[row]}: {problem}; remove the row or give it a text")


def _label(path: Path, rows: _Rows, row: int, at: int) -> str:
    """Labels are compared as text: 3 and 3.0 are the same label."""
    value = rows.cells[row][at]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (str, int, float)) and value == value:  # noqa: PLR0124  (NaN is not itself)
        label = str(value).strip()
        if label and label.lower() != "nan":
            return label
    if value is None or isinstance(value, (str, float)):
        raise DataError(f"{path} {rows.unit} {rows.lines[row]}: the label is missing; remove the row or label it")
    raise DataError(
        f"{path} {rows.unit} {rows.lines[row]}: the label is a {type(value).__name__}, not text or a number"
    )


# ---------------------------------------------------------------- formats


def decode_utf8(path: Path) -> str:
    """A file's text without a byte-order mark; raises DataError with the line of the first wrong byte."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path} line {line} is not UTF-8 text; save the file as UTF-8") from error


def _is_header(cells: Sequence[str]) -> bool:
    lower = {cell.lower().strip() for cell in cells}
    return len(lower & set(TEXT_NAMES)) > 0 and len(lower & set(LABEL_NAMES)) > 0


def _with_header(path: Path, cells: list[Sequence[Any]], lines: list[int], named: bool) -> _Rows:
    if not cells:
        raise DataError(f"{path} holds no rows")
    width = len(cells[0])
    for row, line in zip(cells, lines, strict=True):
        if len(row) != width:
            raise DataError(f"{path} line {line} has {len(row)} columns, line {lines[0]} has {width}")
    if named or _is_header(cells[0]):
        return _Rows(cells[1:], lines[1:], tuple(cell.strip() for cell in cells[0]))
    return _Rows(cells, lines, None)


def _read_csv(path: Path, _columns: tuple[str | None, str | None], named: bool) -> _Rows:
    # The default limit of 131,072 characters a field would refuse long documents.
    csv.field_size_limit(2**31 - 1)
    content = decode_utf8(path)
    first = content.partition("\n")[0]
    delimiter = ";" if ";" in first and "," not in first else ","
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    cells: list[Sequence[Any]] = []
    lines: list[int] = []
    started = 1
    try:
        for row in reader:
            if row:
                cells.append(row)
                lines.append(started)
            started = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path} line {started}: {error}; a quoted field may lack its closing quote") from error
    return _with_header(path, cells, lines, named)


def _read_tsv(path: Path, _columns: tuple[str | None, str | None], named: bool) -> _Rows:
    cells: list[Sequence[Any]] = []
    lines: list[int] = []
    for number, line in enumerate(decode_utf8(path).split("\n"), start=1):
        if line.strip():
            cells.append(line.rstrip("\r").split("\t"))
            lines.append(number)
    return _with_header(path, cells, lines, named)


def _read_jsonl(path: Path, _columns: tuple[str | None, str | None], _named: bool) -> _Rows:
    records: list[dict[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(decode_utf8(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, object_pairs_hook=_unique_keys)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} line {number} is not a JSON object: {error}") from error
        if not isinstance(record, dict):
            raise DataError(f"{path} line {number} is not a JSON object")
        records.append(record)
        lines.append(number)
    if not records:
        raise DataError(f"{path} holds no rows")
    names = tuple(records[0])
    return _Rows([[record.get(name) for name in names] for record in records], lines, names)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key occurs twice")
    return record


def _read_parquet(path: Path, columns: tuple[str | None, str | None], _named: bool) -> _Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = tuple(file.schema_arrow.names)
        _refuse_duplicates(path, names)
        usual = {*columns, *TEXT_NAMES, *LABEL_NAMES}
        wanted = [name for name in names if name in usual or name.lower().strip() in usual]
        table = file.read(columns=wanted)
        found = {name: table.column(name).to_pylist() for name in wanted}
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path} is no readable parquet file ({reason}); fetch or write it again") from error
    if not table.num_rows:
        raise DataError(f"{path} holds no rows")
    blank = [None] * table.num_rows
    cells: list[Sequence[Any]] = list(zip(*(found.get(name, blank) for name in names), strict=True))
    return _Rows(cells, list(range(1, table.num_rows + 1)), names, unit="row")


_READERS: dict[str, Callable[[Path, tuple[str | None, str | None], bool], _Rows]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".txt": _read_tsv,
    ".jsonl": _read_jsonl,
}
