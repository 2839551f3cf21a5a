"""Reads labelled texts out of a file of any of the usual formats, compressed or not, with a header or without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.data.binary_files import BINARY, read_parquet
from bench.data.cells import make_table
from bench.data.columns import choose_columns
from bench.data.content import COMPRESSED, Content, decode, read_content
from bench.data.delimited import read_delimited
from bench.data.fasttext_files import looks_like_fasttext, read_fasttext
from bench.data.json_files import looks_like_json, read_json
from bench.data.reading import AS_IT_IS, Reading
from bench.data.tables import Rows, Table
from bench.errors import DataError

DELIMITED = (".csv", ".tsv", ".txt", ".tab", ".psv", ".dat")
JSON = (".json", ".jsonl", ".ndjson", ".jl")
FASTTEXT = (".train", ".valid", ".test", ".ft")
# What people give by mistake, and what to give instead.
OTHERS = {
    ".xlsx": "an Excel workbook; save its sheet as CSV UTF-8",
    ".xls": "an Excel workbook; save its sheet as CSV UTF-8",
    ".ods": "a spreadsheet; save its sheet as CSV",
    ".pkl": "a pickle, which can run code and is never opened; save it as parquet or CSV",
    ".pickle": "a pickle, which can run code and is never opened; save it as parquet or CSV",
    ".pt": "a pickle, which can run code and is never opened; save it as parquet or CSV",
    ".tar": "an archive of many files; unpack it and give the folder",
    ".tgz": "an archive of many files; unpack it and give the folder",
    ".7z": "an archive; unpack it",
    ".rar": "an archive; unpack it",
    ".pdf": "no table; give the texts as CSV",
    ".docx": "no table; give the texts as CSV",
}


def read_table(path: Path, reading: Reading = AS_IT_IS) -> Table:
    """Read one file; raises DataError, in one line, for anything that is not texts with a label each."""
    rows = read_rows(path, reading)
    texts_at, label_at = choose_columns(path, rows, reading)
    if reading.text_column is None:
        rows, texts_at = _without_constant(rows, texts_at)
    return make_table(path, rows, texts_at, label_at, reading.drop_empty)


def read_rows(path: Path, reading: Reading = AS_IT_IS, labelled: bool = True) -> Rows:
    """All cells of one file, whatever its format; `labelled` whether a text must have a label beside it."""
    suffix = path.suffix.lower()
    if suffix in OTHERS:
        raise DataError(f"{path} is {OTHERS[suffix]}")
    if suffix not in (*data_suffixes(), *FASTTEXT):
        raise DataError(f"{path}: cannot read '{suffix}' files; known: {', '.join(data_suffixes())}")
    content = read_content(path)
    if content.suffix in BINARY:
        return BINARY[content.suffix](path, content.data, reading)
    if content.data.startswith(b"PAR1"):
        return read_parquet(path, content.data, reading)
    return _read_text(content, reading, labelled)


def _read_text(content: Content, reading: Reading, labelled: bool) -> Rows:
    path = content.path
    text, encoding = decode(content, reading.encoding)
    if content.data.startswith(b"version https://git-lfs"):
        raise DataError(f"{path} is a git-LFS pointer, not the file; fetch it with `git lfs pull`")
    if not text.strip():
        raise DataError(f"{path} holds no rows")
    if content.suffix in JSON or (reading.delimiter is None and looks_like_json(text)):
        return read_json(path, text, encoding)
    if looks_like_fasttext(text):
        return read_fasttext(path, text, encoding)
    return read_delimited(path, text, encoding, content.suffix, reading, labelled)


def data_suffixes() -> tuple[str, ...]:
    """The file name endings that can be read."""
    return (*BINARY, *DELIMITED, *JSON, *COMPRESSED)


def _without_constant(rows: Rows, texts_at: list[int]) -> tuple[Rows, list[int]]:
    """Of several text columns those that are not the same in every row, such as one instruction above all texts."""
    if len(texts_at) < 2 or len(rows.cells) < 2 or rows.names is None:
        return rows, texts_at
    kept = [at for at in texts_at if any(cells[at] != rows.cells[0][at] for cells in rows.cells)]
    if not kept or len(kept) == len(texts_at):
        return rows, texts_at
    left = ", ".join(rows.names[at] for at in texts_at if at not in kept)
    note = f"column {left} is the same in every row and is left out of the texts"
    return replace(rows, notes=(*rows.notes, note)), kept
