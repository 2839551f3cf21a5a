"""Settles the labels of all parts: one spelling of a number, names for numbers, and what no classifier can learn."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.data.tables import Table, shortened
from bench.errors import DataError, UsageError

_WHOLE = re.compile(r"([+-]?\d+)\.0*")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_SEPARATORS = (",", ";", "|", "\t")
# A column of numbers with more different values than this, each on few texts, is a measurement and no class.
MOST_NUMBERS = 20
FEWEST_TEXTS_A_NUMBER = 5
MOST_FRACTIONS = 10
SHOWN_LABELS = 5

Tables = dict[str, Table]


def read_label_map(given: str) -> tuple[tuple[str, str], ...]:
    """`1=World,2=Sports`, or a JSON file {"1": "World"}; raises UsageError for anything else."""
    path = Path(given)
    if path.suffix.lower() == ".json" or path.is_file():
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise UsageError(f"--label-map {given}: no readable JSON file ({error})") from error
        if not isinstance(content, dict) or not all(isinstance(name, str) for name in content.values()):
            raise UsageError(f'--label-map {given}: expected {{"label in the file": "class", ...}}')
        return tuple((key, name) for key, name in content.items())
    pairs = [tuple(part.split("=", 1)) for part in given.split(",") if part.strip()]
    if not pairs or any(len(pair) != 2 or not pair[1].strip() for pair in pairs):
        raise UsageError(f"--label-map {given}: expected LABEL=CLASS,LABEL=CLASS,... or a JSON file")
    return tuple((before.strip(), after.strip()) for before, after in pairs)


def settle_labels(tables: Tables, label_map: Sequence[tuple[str, str]], named: bool) -> tuple[Tables, tuple[str, ...]]:
    """The tables with one spelling a class, and notes; `named` where the data's own list of classes says what they are.

    Raises DataError where the labels are measurements, or different in nearly every row.
    """
    notes: list[str] = []
    tables = _relabel(tables, _one_number)
    if label_map:
        tables, said = _map(tables, dict(label_map))
        notes.append(said)
    elif not named:
        _refuse_measurements(tables)
    labels = Counter(label for table in tables.values() for label in table.labels)
    notes += _spelling_notes(labels)
    notes += _several_notes(labels)
    notes += _path_notes(labels)
    return tables, tuple(notes)


def refuse_shifted(tables: Tables, class_names: Sequence[str]) -> None:
    """Raise DataError where whole numbers cannot be positions from 0 in the list of classes."""
    labels = {label for table in tables.values() for label in table.labels}
    if not labels or labels & set(class_names) or not all(re.fullmatch(r"\d+", label) for label in labels):
        return
    numbers = sorted(map(int, labels))
    if numbers[0] == 0 and numbers[-1] < len(class_names):
        return
    shown = ", ".join(f"{at}={name}" for at, name in enumerate(class_names, start=numbers[0]))
    start = f"count from {numbers[0]}" if numbers[0] else "go too far"
    raise DataError(
        f"{tables['train'].path}: its labels {_shown(list(map(str, numbers)))} {start}, the {len(class_names)} classes "
        f"are numbered from 0 ({', '.join(f'{at} {name}' for at, name in enumerate(class_names))}); say what they mean "
        f"with --label-map, such as {shortened(shown, 120)}"
    )


def nearest_spelling(label: str, known: Iterable[str]) -> str | None:
    """The known label that differs from this one only in case, spaces or signs; None when there is none."""
    return next((other for other in known if _loose(other) == _loose(label)), None)


# ---------------------------------------------------------------- one spelling


def _relabel(tables: Tables, change: Callable[[str], str]) -> Tables:
    return {part: replace(table, labels=[change(label) for label in table.labels]) for part, table in tables.items()}


def _one_number(label: str) -> str:
    """1.0 and 1 are one class."""
    whole = _WHOLE.fullmatch(label)
    return whole[1] if whole else label


def _map(tables: Tables, names: dict[str, str]) -> tuple[Tables, str]:
    names = {_one_number(label): name for label, name in names.items()}
    there = {label for table in tables.values() for label in table.labels}
    missing = sorted(set(names) - there - set(names.values()))
    if missing and not set(names) & there:
        raise DataError(
            f"{tables['train'].path}: no label '{missing[0]}' of --label-map in it; its labels: {_shown(sorted(there))}"
        )
    said = ", ".join(f"{label} = {name}" for label, name in list(names.items())[:SHOWN_LABELS])
    more = ", ..." if len(names) > SHOWN_LABELS else ""
    return _relabel(tables, lambda label: names.get(label, label)), f"labels by --label-map: {said}{more}"


def _loose(label: str) -> str:
    return re.sub(r"[\s_-]+", "", unicodedata.normalize("NFKC", label).casefold())


def _spelling_notes(labels: Counter[str]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for label in labels:
        groups.setdefault(_loose(label), []).append(label)
    same = [sorted(group) for group in groups.values() if len(group) > 1]
    if not same:
        return []
    shown = "; ".join(" and ".join(f"'{label}'" for label in group) for group in same[:SHOWN_LABELS])
    return [
        f"labels that differ only in spelling (case, spaces, signs) count as different classes: {shown}; "
        "--label-map joins them"
    ]


# ---------------------------------------------------------------- what is no class


def _refuse_measurements(tables: Tables) -> None:
    train = tables["train"]
    labels = [label for table in tables.values() for label in table.labels]
    values = set(labels)
    numbers = [label for label in values if _NUMBER.fullmatch(label)]
    column = f"column '{train.columns[1]}'" if train.columns else "the label column"
    if len(numbers) >= 0.9 * len(values):
        fractions = any(not re.fullmatch(r"[+-]?\d+", label) for label in numbers)
        few = len(labels) < FEWEST_TEXTS_A_NUMBER * len(values)
        if (fractions and len(values) > MOST_FRACTIONS) or (len(values) > MOST_NUMBERS and few):
            raise DataError(
                f"{train.path}: {column} holds {len(values):,} different numbers in {len(labels):,} rows "
                f"({_shown(sorted(values))}): a measurement (regression), or classes? name another --label-column, or "
                "say which numbers make a class with --label-map"
            )
    elif len(values) > MOST_NUMBERS and len(values) > len(labels) / 2:
        raise DataError(
            f"{train.path}: {column} holds {len(values):,} different labels in {len(labels):,} rows "
            f"({_shown(sorted(values))}): is it the text? name the columns with --text-column and --label-column"
        )


def _several_notes(labels: Counter[str]) -> list[str]:
    """Labels that look like several in one cell: their parts are labels too."""
    for separator in _SEPARATORS:
        split = {
            label: [part.strip() for part in label.split(separator)]
            for label in labels
            if separator in label and not _NUMBER.fullmatch(label)
        }
        seen = Counter(part for parts in split.values() for part in parts)
        known = [label for label, parts in split.items() if all(p and (p in labels or seen[p] > 1) for p in parts)]
        if not known:
            continue
        sets = Counter(tuple(sorted(split[label])) for label in known)
        order = "; the same labels in another order are another class" if any(n > 1 for n in sets.values()) else ""
        texts = sum(labels[label] for label in known)
        return [
            f"{texts:,} texts have several labels, such as '{known[0]}': multi-label texts are not measured, every "
            f"combination counts as a class of its own{order}"
        ]
    return []


def _path_notes(labels: Counter[str]) -> list[str]:
    """Labels that are all paths of a hierarchy."""
    for separator in ("->", ">", "::", "/"):
        if len(labels) > 1 and all(0 < label.find(separator) < len(label) - len(separator) for label in labels):
            first = next(iter(labels))
            return [f"labels look like paths of a hierarchy ('{first}'): every whole path counts as a class of its own"]
    return []


def _shown(labels: Sequence[str]) -> str:
    more = ", ..." if len(labels) > SHOWN_LABELS else ""
    return ", ".join(shortened(label, 24) for label in labels[:SHOWN_LABELS]) + more
