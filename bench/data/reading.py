"""Says how a person's own file is to be read: columns, encoding, delimiter, labels."""

from __future__ import annotations

from bench.types import Record


class Reading(Record):
    """What a user says of a file; None leaves it to the file.

    Columns are named, given by position (from 1), by dotted path into JSON, or several joined by commas (texts only).
    label_map names a label's class: pairs (label in the file, class).
    """

    text_column: str | None = None
    label_column: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    header: bool | None = None
    drop_empty: bool = False
    label_map: tuple[tuple[str, str], ...] = ()
    language: str | None = None


AS_IT_IS = Reading()
