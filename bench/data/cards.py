"""Reads what a data set's card lists: the names of classes that its files hold as numbers."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.data.tables import Table

CARD = "README.md"
INFOS = ("dataset_infos.json", "dataset_info.json")


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


def listed_classes(folder: Path) -> dict[str, list[str]]:
    """The names of the classes by label column, in the order of their numbers; of configurations that agree on them."""
    found: dict[str, list[list[str]]] = {}
    for features in _all_features(folder):
        for column, names in features.items():
            found.setdefault(column, []).append(names)
    return {column: lists[0] for column, lists in found.items() if all(names == lists[0] for names in lists)}


def with_class_names(tables: Mapping[str, Table], classes: Mapping[str, list[str]]) -> dict[str, Table]:
    """The tables with names in the place of the numbers that the card lists names for, where all labels are such."""
    columns = tables["train"].columns if "train" in tables else None
    names = classes.get(columns[1]) if columns else None
    if not names:
        return dict(tables)
    numbered = {str(number): name for number, name in enumerate(names)}
    if not all(label in numbered for table in tables.values() for label in table.labels):
        return dict(tables)
    return {part: replace(table, labels=[numbered[label] for label in table.labels]) for part, table in tables.items()}


def _all_features(folder: Path) -> Iterator[dict[str, list[str]]]:
    infos = read_card(folder / CARD).get("dataset_info") or []
    for info in infos if isinstance(infos, list) else [infos]:
        yield _classes_of(info)
    for name in INFOS:
        try:
            content = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            for info in [content] if "features" in content else content.values():
                yield _classes_of(info)


def _classes_of(info: Any) -> dict[str, list[str]]:
    """Of one configuration, as the card writes features (a list) or as the hub's library does (by column)."""
    features = info.get("features") if isinstance(info, dict) else None
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
