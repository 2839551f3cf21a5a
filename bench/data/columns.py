"""Chooses the column of the texts and the column of the labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.data.reading import Reading
from bench.data.tables import Rows, shortened
from bench.errors import DataError

TEXT_NAMES = (
    "text", "sentence", "review", "content", "comment", "tweet", "document", "文本", "内容", "评论",
    "texts", "message", "utterance", "body", "query", "input", "prompt", "instruction", "review_body", "review_text",
)  # fmt: skip
LABEL_NAMES = (
    "label", "class", "category", "sentiment", "target", "topic", "stars", "rating", "标签", "类别",
    "labels", "intent", "emotion", "output", "completion", "response",
)  # fmt: skip
# LLaMA-Factory's and Alpaca's: what is asked stands in two columns.
ALPACA = ("instruction", "input")


def is_header(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether a first row names a text and a label column, or one of them by a name that is no cell below it."""
    lower = [cell.lower().strip() for cell in first]
    text, label = set(lower) & set(TEXT_NAMES), set(lower) & set(LABEL_NAMES)
    if text and label and len(text | label) > 1:
        return True
    if not (text or label):
        return False
    at = lower.index(next(iter(label or text)))
    return all(row[at].lower().strip() != lower[at] for row in others)


def choose_columns(path: Path, rows: Rows, reading: Reading) -> tuple[list[int], int]:
    """Positions of the text columns and of the label column; raises DataError with the columns to choose from."""
    if not rows.cells:
        raise DataError(f"{path} holds no rows")
    if rows.names is None and reading.text_column is None and reading.label_column is None:
        text_at, label_at = _without_names(path, rows)
        return [text_at], label_at
    names = rows.names or tuple(str(at) for at in range(1, len(rows.cells[0]) + 1))
    if rows.names is None and (reading.text_column is None or reading.label_column is None):
        return _other_of_two(path, rows, names, reading)
    _refuse_duplicates(path, names)
    texts_at = _text_columns(path, names, reading.text_column, reading.label_column)
    label_at = _label_column(path, names, reading.label_column, texts_at)
    if label_at in texts_at:
        raise DataError(f"{path}: column '{names[label_at]}' cannot be both the text and the label")
    return texts_at, label_at


def choose_text_columns(path: Path, rows: Rows, reading: Reading) -> list[int]:
    """Positions of the text columns of a file that need not have labels."""
    names = rows.names or tuple(str(at) for at in range(1, len(rows.cells[0]) + 1))
    if reading.text_column is None and len(names) == 1:
        return [0]
    if reading.text_column is None and rows.names is None:
        raise DataError(f"{path}: choose a column with --text-column; its first row: {_first(rows)}")
    _refuse_duplicates(path, names)
    return _text_columns(path, names, reading.text_column, reading.label_column)


def _refuse_duplicates(path: Path, names: tuple[str, ...]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise DataError(f"{path} has more than one column named '{twice[0]}'; rename or remove one")


def _named(path: Path, names: Sequence[str], chosen: str) -> int:
    """A column by its name, or by its position from 1 where no column has that name."""
    if chosen in names:
        return list(names).index(chosen)
    if chosen.isdecimal() and 1 <= int(chosen) <= len(names):
        return int(chosen) - 1
    raise DataError(f"{path} has no column '{chosen}'; its columns: {', '.join(shortened(name) for name in names)}")


def _text_columns(path: Path, names: tuple[str, ...], chosen: str | None, label: str | None) -> list[int]:
    if chosen is None:
        lower = [name.lower().strip() for name in names]
        if "output" in lower and ALPACA[0] in lower and "text" not in lower and label in (None, "output"):
            return [lower.index(name) for name in ALPACA if name in lower]
        return [_usual(path, names, TEXT_NAMES, "--text-column", label)]
    if chosen in names:
        return [names.index(chosen)]
    return [_named(path, names, part.strip()) for part in chosen.split(",") if part.strip()]


def _label_column(path: Path, names: tuple[str, ...], chosen: str | None, texts_at: list[int]) -> int:
    if chosen is not None:
        return _named(path, names, chosen)
    if len(names) == 2 and len(texts_at) == 1:
        return 1 - texts_at[0]
    return _usual(path, names, LABEL_NAMES, "--label-column", None)


def _usual(path: Path, names: tuple[str, ...], usual: tuple[str, ...], option: str, other: str | None) -> int:
    lower = [name.lower().strip() for name in names]
    for name in usual:
        if name in lower:
            return lower.index(name)
    if len(names) == 2:
        rest = [at for at, name in enumerate(lower) if name not in LABEL_NAMES and names[at] != other]
        if len(rest) == 1:
            return rest[0]
    raise DataError(f"{path}: choose a column with {option}; its columns: {', '.join(map(shortened, names))}")


def _other_of_two(path: Path, rows: Rows, names: tuple[str, ...], reading: Reading) -> tuple[list[int], int]:
    """One column by position in a file without a header: of two columns the other is meant."""
    if reading.label_column is None:
        texts_at = _text_columns(path, names, reading.text_column, None)
        if len(names) == 2 and len(texts_at) == 1:
            return texts_at, 1 - texts_at[0]
        missing = "--label-column"
    else:
        label_at = _named(path, names, reading.label_column)
        if len(names) == 2:
            return [1 - label_at], label_at
        missing = "--text-column"
    raise DataError(f"{path}: choose a column with {missing}; its first row: {_first(rows)}")


def _without_names(path: Path, rows: Rows) -> tuple[int, int]:
    """Without a header: two columns, and the labels are the column with fewer different values."""
    if len(rows.cells[0]) != 2:
        raise DataError(
            f"{path} has {len(rows.cells[0])} columns and no header that names a text and a label column; name them "
            f"with --text-column and --label-column (or by position, 1 to {len(rows.cells[0])}); its first row: "
            f"{_first(rows)}"
        )
    first, second = (Counter(str(cells[at]).strip() for cells in rows.cells) for at in (0, 1))
    label_at = 0 if len(first) < len(second) else 1
    labels = (first, second)[label_at]
    value = str(rows.cells[0][label_at]).strip()
    if labels[value] == 1 and len(rows.cells) > 2:
        raise DataError(
            f"{path}: {rows.unit} {rows.lines[0]} may be a header (its label '{shortened(value)}' occurs once); "
            "name the columns with --text-column and --label-column, or say --header or --no-header"
        )
    return 1 - label_at, label_at


def _first(rows: Rows) -> str:
    return " / ".join(shortened(cell, 24) for cell in rows.cells[0][:8])


def joined_text(values: Sequence[Any]) -> Any:
    """Several cells as one text, a space between; a single cell stays what it is."""
    if len(values) == 1:
        return values[0]
    wrong = [value for value in values if value is not None and not isinstance(value, str)]
    if wrong:
        return wrong[0]
    return " ".join(value.strip() for value in values if value and value.strip())
