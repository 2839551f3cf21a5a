"""Labels the texts of a file: one line or record in, one row out, in the file's own format."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from bench.data.binary_files import BINARY
from bench.data.columns import choose_text_columns, joined_text
from bench.data.content import COMPRESSED, decode, read_content
from bench.data.json_files import json_records
from bench.data.readers import DELIMITED, JSON, read_rows
from bench.data.reading import Reading
from bench.data.tables import Rows
from bench.errors import DataError, UsageError
from bench.execution.predict import Predictor
from bench.execution.predict_columns import answer_columns, beside_record
from bench.files.cache import is_replaceable
from bench.machine.terminal import holds_any_text

_HALF_A_PAIR = re.compile("[\ud800-\udfff]")
CHUNK = 1024  # texts answered before their rows are written
PARQUET = (".parquet", ".pq")  # what any binary table comes out as
_TABLES = tuple(suffix for suffix in DELIMITED if suffix != ".txt")


class NotUtf8(DataError):
    """Bytes that are no UTF-8 text."""


def label_file(predictor: Predictor, file: Path, reading: Reading, out: Path | None, as_json: bool) -> int:
    """Answer every line or record of a file and write its rows to `out` or standard output; returns their number.

    A table (CSV, TSV, JSON, JSONL, parquet) comes out in its own format: its columns, then label, confidence and the
    probability of each class. Any other file is one text a line, divided at line feeds alone; its rows are JSON with
    the line's number. A blank text is a row without an answer. Raises DataError with file and line for what cannot be
    read, UsageError where parquet would go to standard output.
    """
    suffix = _suffix(file)
    if suffix in BINARY and not as_json:
        _check_out(file, out, ".parquet", as_json)
        return _label_parquet(predictor, file, reading, out)
    _check_out(file, out, suffix, as_json)
    with _opened(out) as target:
        if suffix in JSON and not as_json:
            return _label_json(predictor, file, reading, target)
        if is_table(file, reading):
            rows = read_rows(file, reading, labelled=False)
            if as_json:
                return write_json(answered(predictor, _number(file, rows, reading)), target)
            return _label_table(predictor, file, rows, reading, target)
        return write_json(answered(predictor, read_lines(file, reading.encoding)), target)


def is_table(file: Path, reading: Reading) -> bool:
    """Whether a file has columns, by its name or because one is named; else every line is a text."""
    return _suffix(file) in (*_TABLES, *JSON, *BINARY) or reading.text_column is not None


def rows_of(predictor: Predictor, file: Path, reading: Reading) -> Iterator[dict[str, Any]]:
    """A row a line or record, as `label_file` writes it in JSON, for a table on the screen."""
    if is_table(file, reading):
        return answered(predictor, _number(file, read_rows(file, reading, labelled=False), reading))
    return answered(predictor, read_lines(file, reading.encoding))


def read_lines(file: Path, encoding: str | None = None) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers (from 1), without line ends and byte-order mark; blank ones too.

    Only a line feed ends a line, with or without a carriage return before it; a carriage return alone does where there
    is no line feed at all.
    """
    try:
        with file.open("rb") as stream:
            start = stream.read(4)
            whole = encoding is not None or file.suffix.lower() in COMPRESSED
            whole = whole or start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            if not start:
                raise DataError(f"{file} is empty")
            if not whole:
                stream.seek(0)
                yield from number_lines(stream, str(file))
                return
    except NotUtf8:
        decode(read_content(file), None)  # raises with a guess at the encoding
        raise
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from error
    text, _ = decode(read_content(file), encoding)
    if "\n" not in text:
        text = text.removesuffix("\r").replace("\r", "\n")
    for number, line in enumerate(io.StringIO(text, newline="\n"), start=1):
        yield number, _without_end(line)


def number_lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    """The lines of a stream of UTF-8 with their numbers; raises DataError for bytes that are none."""
    for number, line in enumerate(_divided(stream), start=1):
        try:
            yield number, _without_end(line.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").decode("utf-8"))
        except UnicodeDecodeError as error:
            raise NotUtf8(f"{name} line {number} is not UTF-8 text; give its --encoding") from error


def _divided(stream: BinaryIO) -> Iterator[bytes]:
    """Lines that end in a line feed; in a file without any, those that end in a carriage return (old Macs, Excel)."""
    first = stream.readline()
    if first.endswith(b"\n"):
        yield first
        yield from stream
    elif first:
        yield from first.removesuffix(b"\r").split(b"\r")


def _without_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r") if line.endswith("\n") else line


def _suffix(file: Path) -> str:
    return Path(file.stem).suffix.lower() if file.suffix.lower() in COMPRESSED else file.suffix.lower()


def _check_out(file: Path, out: Path | None, suffix: str, as_json: bool) -> None:
    """Raise UsageError where the rows would replace the texts, or stand in a file that is named for another format."""
    if out is None:
        return
    if out.exists() and out.samefile(file):
        raise UsageError(f"--out {out} is the file of the texts itself; name another")
    wanted = ".json" if as_json else suffix
    families = [family for family in (_TABLES, JSON, PARQUET) if out.suffix.lower() in family]
    if families and wanted not in families[0] and (wanted in _TABLES or wanted in JSON or wanted in PARQUET):
        raise UsageError(f"--out {out}: the rows come out as {wanted[1:]}; name a file that ends in {wanted}")


@contextmanager
def _opened(out: Path | None) -> Iterator[TextIO]:
    """Standard output, or the file `out`, which is as it was until the last row is written."""
    if out is None:
        if isinstance(sys.stdout, io.TextIOWrapper) and not holds_any_text(sys.stdout):
            sys.stdout.reconfigure(encoding="utf-8")  # as in a file: rows of data, not a message to a terminal
        yield sys.stdout
        return
    plain = is_replaceable(out)
    place = out.with_name(f".{out.name[:200]}.{os.getpid()}") if plain else out
    try:
        with place.open("w", encoding="utf-8", newline="") as target:
            yield target
        if plain:
            place.replace(out)
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror or error}") from error
    finally:
        if plain:
            place.unlink(missing_ok=True)


# ---------------------------------------------------------------- answers


def _number(file: Path, rows: Rows, reading: Reading) -> Iterator[tuple[int, str]]:
    at = choose_text_columns(file, rows, reading)
    for line, cells in zip(rows.lines, rows.cells, strict=True):
        yield line, _text(file, rows.unit, line, joined_text([cells[column] for column in at]))


def _text(file: Path, unit: str, line: int, value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str) and _HALF_A_PAIR.search(value):
        raise DataError(f"{file} {unit} {line}: the text is not valid Unicode (half of a surrogate pair)")
    if value is None or isinstance(value, str):
        return value or ""
    raise DataError(f"{file} {unit} {line}: the text is a {type(value).__name__}; name another with --text-column")


def answered(predictor: Predictor, texts: Iterable[tuple[int, str]]) -> Iterator[dict[str, Any]]:
    """A row a text, answered in chunks; a blank text has no answer."""
    for chunk in _chunks(texts):
        found = iter(predictor.rows([text for _, text in chunk if text.strip()]))
        for line, text in chunk:
            row = next(found) if text.strip() else {"text": text, "models": predictor.no_answers()}
            yield {"line": line, **row}


def _chunks(texts: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    waiting = iter(texts)
    while chunk := list(itertools.islice(waiting, CHUNK)):
        yield chunk


# ---------------------------------------------------------------- formats


def write_json(rows: Iterable[dict[str, Any]], target: TextIO) -> int:
    """A JSON list, written row by row; returns how many there were."""
    count = 0
    target.write("[")
    for count, row in enumerate(rows, start=1):
        target.write(f"{',' if count > 1 else ''}\n {_json(row, target)}")
    target.write("\n]\n")
    return count


def _json(row: dict[str, Any], target: TextIO) -> str:
    """In the letters themselves where the target has them all."""
    text = json.dumps(row, ensure_ascii=False)
    return text if holds_any_text(target) and not _HALF_A_PAIR.search(text) else json.dumps(row)


def _label_table(predictor: Predictor, file: Path, rows: Rows, reading: Reading, target: TextIO) -> int:
    delimiter = rows.facts.delimiter_sign or ","
    writer = csv.writer(target, delimiter=delimiter, lineterminator="\n")
    quoting = csv.writer(target, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    labelled = answered(predictor, _number(file, rows, reading))
    if rows.names is not None:
        writer.writerow([*rows.names, *answer_columns(predictor.no_answers(), rows.names)])
    for cells, row in zip(rows.cells, labelled, strict=True):
        whole = [*cells, *answer_columns(row["models"], rows.names or ()).values()]
        # Python quotes no carriage return, at which most readers would end the row
        (quoting if any("\r" in cell for cell in cells) else writer).writerow(whole)
    return len(rows.cells)


def _label_json(predictor: Predictor, file: Path, reading: Reading, target: TextIO) -> int:
    """Records as they were, with the answers beside them: a list stays a list, lines stay lines."""
    rows = read_rows(file, reading, labelled=False)
    records = _records(file, rows, reading.encoding)
    labelled = answered(predictor, _number(file, rows, reading))
    merged = (
        {**record, **beside_record(row["models"], record)} for record, row in zip(records, labelled, strict=True)
    )  # fmt: skip
    if rows.unit == "record":
        return write_json(merged, target)
    target.writelines(_json(record, target) + "\n" for record in merged)
    return len(records)


def _records(file: Path, rows: Rows, encoding: str | None) -> list[dict[str, Any]]:
    records = json_records(file, decode(read_content(file), encoding)[0])
    if len(records) == len(rows.cells) and all(isinstance(record, dict) for record in records):
        return records
    names = rows.names or tuple(map(str, range(1, len(rows.cells[0]) + 1)))
    return [dict(zip(names, cells, strict=True)) for cells in rows.cells]


def _label_parquet(predictor: Predictor, file: Path, reading: Reading, out: Path | None) -> int:
    """Row group by row group, in the file's own schema with the answers' columns after it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if out is None:
        raise UsageError(f"--file {file}: its rows come out as parquet; name the file with --out")
    rows = read_rows(file, reading, labelled=False)
    labelled = list(answered(predictor, _number(file, rows, reading)))
    content = read_content(file)
    whole = pq.read_table(io.BytesIO(content.data)) if content.data.startswith(b"PAR1") else None
    if whole is None:
        whole = pa.table({name: [cells[at] for cells in rows.cells] for at, name in enumerate(rows.names or ())})
    columns = [answer_columns(row["models"], whole.column_names) for row in labelled]
    for name in dict.fromkeys(name for row in columns for name in row):
        whole = whole.append_column(name, pa.array([row.get(name) for row in columns]))
    pq.write_table(whole, out)
    return len(labelled)
