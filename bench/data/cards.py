"""Reads what a data set's card lists: the names of classes that its files hold as numbers."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.data.cells import keep_rows
from bench.data.parts import INNER
from bench.data.tables import Table
from bench.errors import DataError

CARD = "README.md"
INFOS = ("dataset_infos.json", "dataset_info.json")
UNLABELLED = "-1"


def read_card(path: Path | None) -> dict[str, Any]:
    """What stands between the two lines of dashes at the head of the data set's card."""
    from huggingface_hub import DatasetCard

    if path is None or not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            if not file.read(6).removeprefix(codecs.BOM_UTF8).startswith(b"---"):
                return {}  # an ordinary README.md, of which the library would say that it is no card
        return DatasetCard.load(path).data.to_dict()
    except Exception:  # a card that is no YAML says nothing of the data, whose files then have to do
        return {}


@dataclass(frozen=True)
class ListedClasses:
    """Names of classes by label column, in the order of their numbers, and the file that lists them."""

    file: Path
    names: dict[str, list[str]]


def listed_classes(folder: Path, config: str | None = None) -> ListedClasses | None:
    """What the card or the library's file of infos says of a configuration; without one, what all of them agree on."""
    for name in (CARD, *INFOS):
        infos = list(_infos(folder / name))
        chosen = [info for info in infos if config is not None and info.get("config_name") == config] or infos
        found: dict[str, list[list[str]]] = {}
        for info in chosen:
            for column, names in _classes_of(info).items():
                found.setdefault(column, []).append(names)
        agreed = {column: lists[0] for column, lists in found.items() if all(names == lists[0] for names in lists)}
        if agreed:
            return ListedClasses(folder / name, agreed)
    return None


def classes_beside(path: Path) -> ListedClasses | None:
    """What is listed for a folder or file of the hub's layout: in the folder, or above `data/` or a configuration's."""
    folder = path if path.is_dir() else path.parent
    if (found := listed_classes(folder)) is not None:
        return found
    folder = folder.resolve()
    if folder.name in INNER:
        return listed_classes(folder.parent)
    configs = {info.get("config_name") for name in (CARD, *INFOS) for info in _infos(folder.parent / name)}
    return listed_classes(folder.parent, folder.name) if folder.name in configs else None


def with_class_names(
    tables: Mapping[str, Table], listed: ListedClasses | None, drop_empty: bool = False
) -> dict[str, Table]:
    """The tables with names in the place of the numbers that are listed with names, where all labels are such.

    -1 is what the hub writes for a text without a label. Raises DataError for such texts unless they may be dropped.
    """
    columns = tables["train"].columns if "train" in tables else None
    names = listed.names.get(columns[1]) if columns and listed else None
    if not names or not listed:
        return dict(tables)
    numbered = {str(number): name for number, name in enumerate(names)}
    if not all(label in numbered or label == UNLABELLED for table in tables.values() for label in table.labels):
        return dict(tables)
    said = f"class names are those that {listed.file.name} lists for '{columns[1]}'" if columns else ""
    labelled = {part: _labelled(table, drop_empty) for part, table in tables.items()}
    return {
        part: replace(
            table,
            labels=[numbered[label] for label in table.labels],
            classes=tuple(names),
            notes=(*table.notes, said),
        )
        for part, table in labelled.items()
    }


def _labelled(table: Table, drop_empty: bool) -> Table:
    kept = [row for row, label in enumerate(table.labels) if label != UNLABELLED]
    if len(kept) == len(table.labels):
        return table
    count = len(table.labels) - len(kept)
    if not kept:
        raise DataError(f"{table.path}: every label is {UNLABELLED}, which the hub writes for a text without one")
    if not drop_empty:
        row = table.labels.index(UNLABELLED)
        raise DataError(
            f"{table.where(row)}: label {UNLABELLED}, which the hub writes for a text without one "
            f"({count:,} of {len(table.labels):,} rows); leave them out with --drop-empty"
        )
    return keep_rows(table, kept)


def _infos(file: Path) -> Iterator[dict[str, Any]]:
    """What a card or a file of the hub's library says, a table a configuration."""
    if file.name == CARD:
        infos = read_card(file).get("dataset_info") or []
        yield from (info for info in (infos if isinstance(infos, list) else [infos]) if isinstance(info, dict))
        return
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if isinstance(content, dict):
        named = {None: content} if "features" in content else content
        yield from ({"config_name": name, **info} for name, info in named.items() if isinstance(info, dict))


def _classes_of(info: dict[str, Any]) -> dict[str, list[str]]:
    """Of one configuration, as the card writes features (a list) or as the hub's library does (by column)."""
    features = info.get("features")
    if isinstance(features, dict):
        pairs = [(column, feature) for column, feature in features.items() if isinstance(feature, dict)]
        return {column: names for column, feature in pairs if (names := _names(feature.get("names")))}
    found = {}
    for feature in features or ():
        kind = feature.get("dtype") if isinstance(feature, dict) else None
        label = kind.get("class_label") if isinstance(kind, dict) else None
        if isinstance(label, dict) and (names := _names(label.get("names"))):
            found[str(feature.get("name"))] = names
    return found


def _names(names: Any) -> list[str] | None:
    """As a list, or by number."""
    if isinstance(names, dict):
        numbered = {str(number): str(name) for number, name in names.items()}
        if set(numbered) != {str(number) for number in range(len(numbered))}:
            return None
        return [numbered[str(number)] for number in range(len(numbered))]
    return list(map(str, names)) if isinstance(names, list) and names else None
