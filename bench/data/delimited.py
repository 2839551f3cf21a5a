"""Reads CSV, TSV and their kin with Python's csv; the delimiter is the one that fits, and a tie is a question."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

from bench.data.columns import TEXT_NAMES, is_header
from bench.data.delimited_rows import Cells, Misfit, Parsed, parse_rows
from bench.data.reading import Reading
from bench.data.tables import Facts, Rows, shortened
from bench.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
RARE_DELIMITERS = ("^", "~", "\x01", ":")  # tried where none of the usual ones fits
_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_SEP_LINE = re.compile(r'"?sep=(.|\\t)"?[\r\n]*', re.IGNORECASE)


def read_delimited(path: Path, text: str, encoding: str, suffix: str, reading: Reading, labelled: bool = True) -> Rows:
    """Cells of a delimited text; raises DataError with the line of a row that does not fit, or a question.

    labelled: whether there must be a label column; without one a single column will do.
    """
    # The default limit of 131,072 characters a field would refuse long documents.
    csv.field_size_limit(2**31 - 1)
    text = text.removesuffix("\x1a")  # the end of a file of DOS
    if "\n" not in text:
        text = text.replace("\r", "\n")
    asked, skipped = _asked_delimiter(path, text, reading)
    if skipped:
        text = text.partition("\n")[2]
    parsed = _parse_asked(path, text, asked, labelled) if asked else _fitting(path, text, suffix, reading, labelled)
    cells, notes = _trim(parsed) if labelled else (parsed.cells, ())
    lines = [line + skipped for line in parsed.lines]
    header = _has_header(cells, reading) if labelled else _names_texts(cells, reading)
    names = tuple(cell.strip() for cell in cells[0]) if header else None
    first = tuple(tuple(shortened(cell, 80) for cell in row) for row in cells[header : header + 3])
    facts = Facts("delimited text", encoding, parsed.delimiter, names, first)
    return Rows(cells[header:], lines[header:], names, facts, notes=notes)


def _asked_delimiter(path: Path, text: str, reading: Reading) -> tuple[str | None, int]:
    """The delimiter that the user or Excel's `sep=` line names, and how many lines that line takes."""
    first = text[: text.find("\n") + 1] or text
    sep = _SEP_LINE.fullmatch(first)
    named = reading.delimiter
    if named is not None:
        named = _WORDS.get(named.lower(), named)
        if len(named) != 1 or named in '"\r\n':
            raise DataError(f"{path}: --delimiter '{reading.delimiter}' is not one character (or tab, space, comma)")
    if sep is None:
        return named, 0
    return named or _WORDS.get(sep[1], sep[1]), 1


def _parse_asked(path: Path, text: str, delimiter: str, labelled: bool) -> Parsed:
    try:
        return parse_rows(text, delimiter, keep_blank=not labelled)
    except Misfit as error:
        raise DataError(f"{path} line {error.line} {error.reason}") from error


# ---------------------------------------------------------------- which delimiter


def _fitting(path: Path, text: str, suffix: str, reading: Reading, labelled: bool) -> Parsed:
    failed: list[Misfit] = []
    found: list[Parsed] = []
    single: Parsed | None = None
    for delimiters in (DELIMITERS, RARE_DELIMITERS):
        fits = []
        for delimiter in delimiters:
            try:
                parsed = parse_rows(text, delimiter, keep_blank=not labelled)
            except Misfit as error:
                if delimiters is DELIMITERS:
                    failed.append(error)
                continue
            if len(parsed.cells[0]) > 1:
                fits.append(parsed)
            elif not labelled:
                single = single or parsed
        found += fits
        if any(not _is_prose(parsed, reading) for parsed in fits):
            break
    if found:
        return _choose(path, found, suffix, reading)
    if single is not None and not _names_columns(single.cells[0][0]):
        return single
    wanted = sorted((error for error in failed if error.rows), key=lambda error: -error.rows)
    if wanted:
        raise DataError(f"{path} line {wanted[0].line} {wanted[0].reason}")
    raise DataError(
        f"{path}: none of comma, semicolon, tab and | divides its lines into columns "
        f"(the first is '{shortened(text.lstrip().partition(chr(10))[0])}'); name another with --delimiter"
    )


def _names_columns(line: str) -> bool:
    """Whether a line that no delimiter divides everywhere is a header of several columns all the same."""
    return any(
        {cell.strip().strip('"').lower() for cell in line.split(delimiter)} & set(TEXT_NAMES)
        for delimiter in DELIMITERS
        if delimiter in line
    )


def _choose(path: Path, fits: list[Parsed], suffix: str, reading: Reading) -> Parsed:
    """The only one that fits; of several the one with a header that is known, then the one with labels in it."""
    for wanted in (
        lambda parsed: _has_header(parsed.cells, reading, certain=True),
        lambda parsed: parsed.delimiter == "\t" and suffix in (".tsv", ".tab"),
        lambda parsed: _label_columns(parsed) > 0 and not _is_punctuation(parsed),
        lambda parsed: _label_columns(parsed) > 0,
        lambda parsed: not _is_punctuation(parsed),
    ):
        found = [parsed for parsed in fits if wanted(parsed)]
        if len(found) == 1 and not _is_prose(found[0], reading):
            return found[0]
        if found:
            fits = found
    if len(fits) == 1 and not _is_prose(fits[0], reading):
        return fits[0]
    if len(fits) == 1:
        raise DataError(
            f"{path}: only the commas of its sentences divide its lines into columns (line {fits[0].lines[0]}: "
            f"{' / '.join(shortened(cell, 24) for cell in fits[0].cells[0][:4])}); if they do say --delimiter "
            f"{Facts('', delimiter_sign=fits[0].delimiter).delimiter}, else name another"
        )
    read = " or ".join(
        f"{Facts('', delimiter_sign=parsed.delimiter).delimiter} (line {parsed.lines[0]}: "
        f"{' / '.join(shortened(cell, 24) for cell in parsed.cells[0][:4])})"
        for parsed in fits
    )
    raise DataError(f"{path}: more than one delimiter fits every line: {read}; say which with --delimiter")


def _label_columns(parsed: Parsed) -> int:
    """How many columns could be labels: few different values that recur."""
    rows = len(parsed.cells)
    columns = (len({row[at] for row in parsed.cells}) for at in range(len(parsed.cells[0])))
    return sum(1 < values <= rows / 2 for values in columns)


def _is_punctuation(parsed: Parsed) -> bool:
    """Whether it is followed by a space in every line, as in prose."""
    return all(cell[:1] == " " for row in parsed.cells for cell in row[1:])


def _is_prose(parsed: Parsed, reading: Reading) -> bool:
    """Whether the delimiter is likelier a sign of the sentences: no header, and no column of one-word labels."""
    if not _is_punctuation(parsed) or _has_header(parsed.cells, reading, certain=True):
        return False
    columns = ({row[at].strip() for row in parsed.cells} for at in range(len(parsed.cells[0])))
    most = len(parsed.cells) / 2
    return not any(1 < len(values) <= most and all(len(value.split()) == 1 for value in values) for values in columns)


# ---------------------------------------------------------------- header and empty columns


def _trim(parsed: Parsed) -> tuple[Cells, tuple[str, ...]]:
    """Without columns at the end that have no name; what they hold in a few rows is said, not read."""
    names, cells = parsed.cells[0], parsed.cells
    width = len(names)
    while width > 2 and not names[width - 1].strip():
        width -= 1
    if width == len(names):
        return cells, ()
    held = sum(any(cell.strip() for cell in row[width:]) for row in cells)
    if held > len(cells) / 10:
        return cells, ()
    notes = (f"{held:,} rows hold more in columns without a name, which are not read",) if held else ()
    return [row[:width] for row in cells], notes


def _has_header(cells: Cells, reading: Reading, certain: bool = False) -> bool:
    """Whether the first row names the columns: the user says so, names one of them, or the names are usual ones."""
    if reading.header is not None:
        return reading.header
    first = [cell.strip() for cell in cells[0]]
    asked = [name for name in (reading.label_column, *(reading.text_column or "").split(",")) if name]
    if asked:
        if all(name.strip() in first for name in asked):
            return True
        if not all(name.strip().isdecimal() for name in asked):
            # whoever names a column means a header; a name that is not there is refused later
            return not certain or any(name.strip() in first for name in asked) or reading.text_column in first
        return _is_named_by_position(cells, reading)
    return is_header(first, cells[1:200])


def _names_texts(cells: Cells, reading: Reading) -> bool:
    """Whether the first row names the columns of a file that need not have labels."""
    if reading.header is not None:
        return reading.header
    first = [cell.strip() for cell in cells[0]]
    if reading.text_column is not None:
        return reading.text_column in first or any(part.strip() in first for part in reading.text_column.split(","))
    return bool({cell.lower() for cell in first} & set(TEXT_NAMES))


def _is_named_by_position(cells: Cells, reading: Reading) -> bool:
    """Columns by position: a first row whose label never comes again, where the others do, is a header."""
    at = int(reading.label_column) - 1 if (reading.label_column or "").isdecimal() else None  # type: ignore[arg-type]
    if at is None or not 0 <= at < len(cells[0]):
        return is_header(cells[0], cells[1:200])
    counts = Counter(row[at].strip() for row in cells)
    return counts[cells[0][at].strip()] == 1 and len(counts) <= len(cells) / 2
