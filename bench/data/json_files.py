"""Reads JSON: arrays, lines under any suffix, columns, wrapped lists, and chats in ShareGPT's shape."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.data.tables import Facts, Rows, shortened
from bench.errors import DataError

ASKS, ANSWERS = ("human", "user"), ("gpt", "assistant", "model", "bot")
CHATS = ("conversations", "messages", "conversation")


def looks_like_json(text: str) -> bool:
    """Whether a text of any suffix is JSON: it starts with an object, or with a list of them."""
    start = text[:200].lstrip()
    if start.startswith("{"):
        return start[1:].lstrip()[:1] in ('"', "}", "")
    return start.startswith("[") and start[1:].lstrip()[:1] in ("{", "[")


def read_json(path: Path, text: str, encoding: str) -> Rows:
    """The records of a JSON text; raises DataError with the line of what is broken."""
    lines: list[int]
    text = _with_line_feeds(text)
    if _is_lines(text):
        records, lines = _lines(path, text)
        unit, kind = "line", "JSON lines"
    else:
        records, unit, kind = json_records(path, text), "record", "JSON"
        lines = list(range(1, len(records) + 1))
    if not records:
        raise DataError(f"{path} holds no rows")
    if all(isinstance(record, list) for record in records):
        return _from_lists(path, records, lines, unit, Facts(kind, encoding))
    for record, line in zip(records, lines, strict=True):
        if not isinstance(record, dict):
            raise DataError(f"{path} {unit} {line} is not a JSON object")
    return from_records(path, records, lines, unit, Facts(kind, encoding))


def json_records(path: Path, text: str) -> list[Any]:
    """The records as the file has them, nested or not."""
    text = _with_line_feeds(text)
    return _lines(path, text)[0] if _is_lines(text) else _records(path, _loads(path, text))


def _with_line_feeds(text: str) -> str:
    """Old Macs end lines with a carriage return alone, which no JSON string holds as it is."""
    return text if "\n" in text else text.replace("\r", "\n")


def from_records(path: Path, records: Sequence[dict[str, Any]], lines: list[int], unit: str, facts: Facts) -> Rows:
    """Rows of records that may be nested: a column is a dotted path, and a record may lack it."""
    flat = [_flatten(_chat(path, record, unit, line)) for record, line in zip(records, lines, strict=True)]
    names = tuple(dict.fromkeys(name for record in flat for name in record))
    cells = [[record.get(name) for name in names] for record in flat]
    first = tuple(tuple(shortened(cell, 80) for cell in row) for row in cells[:3])
    facts = Facts(facts.format, facts.encoding, None, names, first)
    return Rows(cells, lines, names, facts, unit=unit)


def _flatten(record: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict) and value:
            flat.update(_flatten(value, f"{before}{key}."))
        else:
            flat[f"{before}{key}"] = value
    return flat


def _chat(path: Path, record: dict[str, Any], unit: str, line: int) -> dict[str, Any]:
    """A chat as text and label: what was asked, and the one answer."""
    name = next((name for name in CHATS if isinstance(record.get(name), list)), None)
    if name is None or any(not isinstance(turn, dict) for turn in record[name]):
        return record
    turns = [(str(turn.get("from", turn.get("role"))), turn.get("value", turn.get("content"))) for turn in record[name]]
    asked = [said for who, said in turns if who in ASKS]
    answers = [said for who, said in turns if who in ANSWERS]
    if len(answers) > 1:
        raise DataError(
            f"{path} {unit} {line}: {len(answers)} answers in one chat; a text has one label: the only answer"
        )
    rest = {key: value for key, value in record.items() if key != name}
    text = " ".join(said for said in asked if isinstance(said, str))
    return {**rest, "text": text, "label": answers[0] if answers else None}


# ---------------------------------------------------------------- lines and documents


def _is_lines(text: str) -> bool:
    """Whether the first line is a whole object."""
    first = text.lstrip().partition("\n")[0].strip()
    if not first.startswith("{"):
        return False
    try:
        json.loads(first)
    except RecursionError:
        return True
    except ValueError:
        return first != "{" and first.endswith("}")
    return text.strip() != first or '"' in first.partition(":")[2][:2] or not _is_wrapped(first)


def _is_wrapped(document: str) -> bool:
    return any(isinstance(value, (list, dict)) for value in json.loads(document).values())


def _lines(path: Path, text: str) -> tuple[list[Any], list[int]]:
    records: list[Any] = []
    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line, object_pairs_hook=_unique_keys)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} line {number} is not a JSON object: {error}") from error
        records.append(record)
        lines.append(number)
        if not isinstance(record, dict):
            raise DataError(f"{path} line {number} is not a JSON object")
    return records, lines


def _loads(path: Path, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except json.JSONDecodeError as error:
        raise DataError(f"{path} line {error.lineno} is not a JSON object or list of them: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not a JSON object or list of them: {error}") from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key occurs twice")
    return record


def _records(path: Path, document: Any) -> list[Any]:
    """The records of a list, of the only list of records in an object, or of columns."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        raise DataError(f"{path} is not a JSON object or list of them")
    if isinstance(document.get("columns"), list) and isinstance(document.get("data"), list):
        return [dict(zip(document["columns"], row, strict=False)) for row in document["data"]]
    lists = {key: value for key, value in document.items() if isinstance(value, list) and value}
    wrapped = [key for key, value in lists.items() if all(isinstance(record, dict) for record in value)]
    if len(wrapped) == 1:
        return [_row(record) for record in lists[wrapped[0]]]
    if len(wrapped) > 1:
        raise DataError(
            f"{path} holds {len(wrapped)} lists of records ({', '.join(wrapped)}); save each as a file of its own, "
            "such as train.json and test.json in one folder"
        )
    columns = {key: list(value.values()) if isinstance(value, dict) else value for key, value in document.items()}
    lengths = {len(value) for value in columns.values() if isinstance(value, list)}
    if len(lengths) == 1 and len(columns) > 1 and all(isinstance(value, list) for value in columns.values()):
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [document]


def _row(record: dict[str, Any]) -> dict[str, Any]:
    """The hub's viewer puts each record under "row"."""
    inner = record.get("row")
    return inner if isinstance(inner, dict) and "row_idx" in record else record


def _from_lists(path: Path, records: list[list[Any]], lines: list[int], unit: str, facts: Facts) -> Rows:
    from bench.data.columns import is_header

    width = len(records[0])
    for record, line in zip(records, lines, strict=True):
        if len(record) != width:
            raise DataError(f"{path} {unit} {line} has {len(record)} columns, {unit} {lines[0]} has {width}")
    header = all(isinstance(cell, str) for cell in records[0]) and is_header(records[0], [])
    names = tuple(records[0]) if header else None
    first = tuple(tuple(shortened(cell, 80) for cell in row) for row in records[header : header + 3])
    facts = Facts(facts.format, facts.encoding, None, names, first)
    return Rows(records[header:], lines[header:], names, facts, unit=unit)
