"""Turns cells into texts and labels; what is empty, missing or no text is refused once, with count and places."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.data.columns import joined_text
from bench.data.tables import Rows, Table, places, shortened
from bench.errors import DataError

# Zero-width space, word joiner and byte-order mark mean nothing inside a label; joiners do in some scripts.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]|^[\u200c\u200d\u200e\u200f]+|[\u200c\u200d\u200e\u200f]+$")
_QUOTES = ('""', "''", "“”", "‘’", "«»", "「」")


@dataclass
class _Missing:
    """Row numbers of what lacks a text or a label."""

    texts: list[int]
    labels: list[int]

    @property
    def rows(self) -> set[int]:
        return {*self.texts, *self.labels}


def make_table(path: Path, rows: Rows, texts_at: list[int], label_at: int, drop_empty: bool) -> Table:
    """Texts and labels of the chosen columns; rows without a text or label are refused, or dropped if asked."""
    texts, labels = [], []
    missing = _Missing([], [])
    cleaned: dict[str, str] = {}
    for row, cells in enumerate(rows.cells):
        text = _text(path, rows, row, joined_text([cells[at] for at in texts_at]))
        label = _label(path, rows, row, cells[label_at], cleaned)
        if text is None:
            missing.texts.append(row)
        if label is None:
            missing.labels.append(row)
        texts.append(text)
        labels.append(label)
    columns = None
    if rows.names is not None:
        columns = (", ".join(rows.names[at] for at in texts_at), rows.names[label_at])
    table = Table(
        path=path,
        texts=texts,  # type: ignore[arg-type]  # those that are None are refused or dropped in the next line
        labels=labels,  # type: ignore[arg-type]
        lines=rows.lines,
        unit=rows.unit,
        columns=columns,
        notes=(*rows.notes, *_cleaned_notes(cleaned)),
        facts=rows.facts,
        classes=tuple(rows.classes.get(columns[1], ())) if columns else (),
    )
    return _without_missing(path, table, missing, drop_empty)


def _without_missing(path: Path, table: Table, missing: _Missing, drop_empty: bool) -> Table:
    if not missing.rows:
        return table
    if not drop_empty:
        raise DataError(_refusal(path, table, missing))
    kept = [row for row in range(len(table.texts)) if row not in missing.rows]
    if not kept:
        raise DataError(f"{path}: none of its {len(table.texts):,} rows has both a text and a label")
    return keep_rows(table, kept)


def keep_rows(table: Table, kept: list[int]) -> Table:
    """The rows of these numbers; the others count as left out."""
    return replace(
        table,
        texts=[table.texts[row] for row in kept],
        labels=[table.labels[row] for row in kept],
        lines=[table.lines[row] for row in kept],
        rows=kept,
        dropped=len(table.texts) - len(kept),
    )


def _refusal(path: Path, table: Table, missing: _Missing) -> str:
    """One message: how many texts are empty and labels missing, where, and what to do."""
    parts = []
    for rows, one, many in (
        (missing.texts, "empty text", "empty texts"),
        (missing.labels, "the label is missing", "labels are missing"),
    ):
        if rows:
            at = places(table.unit, [table.lines[row] for row in rows])
            parts.append(f"{at}: {one}" if len(rows) == 1 else f"{at}: {len(rows):,} {many}")
    count = f"{len(missing.rows):,} of {len(table.texts):,} rows"
    return f"{path} {'; '.join(parts)} ({count}); mend the rows, or leave them out with --drop-empty"


def _text(path: Path, rows: Rows, row: int, value: Any) -> str | None:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bytes):
        value = _decode(path, rows, row, value, "text")
    if not isinstance(value, str):
        raise DataError(
            f"{path} {rows.unit} {rows.lines[row]}: the text is a {type(value).__name__} "
            f"({shortened(value)}); name another column with --text-column"
        )
    if not value.strip():
        return None
    _require_unicode(path, rows, row, value, "text")
    return value


def _label(path: Path, rows: Rows, row: int, value: Any, cleaned: dict[str, str]) -> str | None:
    """Labels are compared as text: 3 and 3.0 are the same label."""
    if isinstance(value, bytes):
        value = _decode(path, rows, row, value, "label")
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], (list, dict)):
        value = value[0]
    if value is None or (isinstance(value, (float, Decimal)) and math.isnan(value)):
        return None
    if isinstance(value, (float, Decimal)):
        value = int(value) if value == value.__floor__() else float(value)
    if isinstance(value, (str, int, float)):
        label = str(value)
        if isinstance(value, str):
            _require_unicode(path, rows, row, value, "label")
            label = clean_label(value)
            if label != value.strip() and value not in cleaned:
                cleaned[value] = label
        return None if not label or label.lower() == "nan" else label
    kind = type(value).__name__
    if isinstance(value, (list, tuple, set)):
        raise DataError(
            f"{path} {rows.unit} {rows.lines[row]}: the label is a list ({shortened(value)}): several labels a text "
            "(multi-label) are not measured; give one label a text"
        )
    raise DataError(f"{path} {rows.unit} {rows.lines[row]}: the label is a {kind}, not text or a number")


def _decode(path: Path, rows: Rows, row: int, value: bytes, what: str) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} {rows.unit} {rows.lines[row]}: the {what} holds bytes that are not UTF-8") from error


def _require_unicode(path: Path, rows: Rows, row: int, value: str, what: str) -> None:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"{path} {rows.unit} {rows.lines[row]}: the {what} is not valid Unicode (half of a surrogate pair, "
            f"{value[error.start]!a}); write the file again"
        ) from error


def clean_label(value: str) -> str:
    """A label in Unicode's composed form, without invisible characters, outer spaces and quotation marks."""
    label = unicodedata.normalize("NFC", _INVISIBLE.sub("", value.strip())).strip()
    while len(label) > 2 and label[0] + label[-1] in _QUOTES and label[0] not in label[1:-1]:
        label = label[1:-1].strip()
    return label


def _cleaned_notes(cleaned: dict[str, str]) -> tuple[str, ...]:
    if not cleaned:
        return ()
    before, after = next(iter(cleaned.items()))
    count = "1 spelling of a label was" if len(cleaned) == 1 else f"{len(cleaned)} spellings of labels were"
    return (
        f"{count} cleaned (invisible characters, quotation marks, Unicode's composed form), "
        f"such as {before!a} to '{after}'",
    )
