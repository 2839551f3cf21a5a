"""Finds a task's texts: in a folder or file, at the hub, in a package's archive, or in the built-in sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bench.data.cards import classes_beside, with_class_names
from bench.data.folders import has_train, read_files, read_folder, tasks_in, wanted
from bench.data.hub_data import HUB_PREFIX, find_hub_data
from bench.data.prompts import OwnPrompt, read_prompt
from bench.data.readers import data_suffixes, read_table
from bench.data.reading import AS_IT_IS, Reading
from bench.data.suites import Suite
from bench.data.tables import Table
from bench.errors import AssetError, DataError, NotAvailable
from bench.types import Progress, Source

SAMPLES = Path(__file__).parent / "samples"
OWN_TEST_SHARE = 0.2
SAMPLE_TEST_SHARE = 0.3
HUB_TEST_SHARE = 0.1


@dataclass(frozen=True)
class Raw:
    """What a source holds, not yet cut: `classes` names integer labels, `test_share` is cut off when test is None."""

    source: Source
    train: Table
    test: Table | None = None
    validation: Table | None = None
    classes: tuple[str, ...] | None = None
    title: str | None = None
    language: str | None = None
    prompt: OwnPrompt | None = None
    test_share: float = OWN_TEST_SHARE
    notes: tuple[str, ...] = ()


def suite_source(suite: Suite, data: Path | None, reading: Reading, progress: Progress | None) -> Raw:
    """The first source that has the suite: `data`, hub cache, hub, package, sample; raises NotAvailable if none."""
    reasons: list[str] = []
    if data is not None:
        local = _suite_in(suite, data, reading)
        if local is not None:
            return local
        reasons.append(f"{data} has no '{suite.folder}'")
    for name, find in _AFTER_LOCAL.items():
        try:
            raw = find(suite, progress)
        except (AssetError, NotAvailable) as error:
            reasons.append(f"{name}: {error}")
            continue
        if raw is not None:
            return raw
    tried = "; ".join(reasons) or "no source is known for it"
    raise NotAvailable(f"no data for suite '{suite.name}': {tried}; give it with --data DIR")


# ---------------------------------------------------------------- files of the user


def open_path(path: Path, reading: Reading = AS_IT_IS) -> Raw:
    """A file, a folder of parts with an optional dataset.json, or a data set of the hub (hf:org/name)."""
    if str(path).startswith(HUB_PREFIX):
        return open_hub_data(str(path), reading)
    if not path.exists():
        raise DataError(f"--data {path}: no such file or folder")
    if path.is_file():
        single = with_class_names({"train": read_table(path, reading)}, classes_beside(path), reading.drop_empty)
        return _raw(Source(kind="local", name=str(path)), single)
    tables = with_class_names(read_folder(path, reading), classes_beside(path), reading.drop_empty)
    card = _read_card(path / "dataset.json")
    classes = card.get("classes")
    raw = _raw(Source(kind="local", name=str(path), licence=card.get("licence"), note=card.get("note")), tables)
    return replace(
        raw,
        classes=tuple(classes) if classes else None,
        title=card.get("name"),
        language=card.get("language"),
        prompt=read_prompt(card["prompt"], str(path / "dataset.json")) if "prompt" in card else None,
    )


def open_hub_data(name: str, reading: Reading) -> Raw:
    """`hf:org/name[@revision][:config]`, out of the hub's cache or from the hub."""
    found = find_hub_data(name)
    raw = _raw(
        Source(kind=found.kind, name=found.repo, revision=found.revision, licence=found.licence),
        with_class_names(read_files(found.parts, reading), found.classes, reading.drop_empty),
    )
    return replace(raw, title=found.repo, test_share=OWN_TEST_SHARE)


def _raw(source: Source, tables: dict[str, Table]) -> Raw:
    """What was read, with what has to be said of how."""
    columns = tables["train"].columns
    notes = list(dict.fromkeys(note for table in tables.values() for note in table.notes))
    for part, table in tables.items():
        if table.dropped:
            total = len(table.texts) + table.dropped
            notes.append(f"{table.dropped:,} of {total:,} {part} rows lack a text or a label and are left out")
    if columns is not None:
        notes.append(f"text column '{columns[0]}', label column '{columns[1]}'")
    return Raw(
        source=source,
        train=tables["train"],
        test=tables.get("test"),
        validation=tables.get("validation"),
        notes=tuple(notes),
    )


def _suite_in(suite: Suite, data: Path, reading: Reading) -> Raw | None:
    """The suite's own folder in `data`, or `data` itself; None when it holds only other tasks."""
    if str(data).startswith(HUB_PREFIX):
        return open_path(data, reading)
    if not data.exists():
        raise DataError(f"--data {data}: no such file or folder")
    if data.is_file():
        return open_path(data, reading)
    if (data / suite.folder).is_dir():
        return open_path(data / suite.folder, reading)
    for suffix in data_suffixes():
        if (data / f"{suite.folder}{suffix}").is_file():
            return open_path(data / f"{suite.folder}{suffix}", reading)
    if has_train(data):
        return open_path(data, reading)
    if not tasks_in(data):
        raise DataError(f"--data {data}: no data in it; expected {suite.folder}/{wanted('train')}")
    return None


def _read_card(path: Path) -> dict[str, Any]:
    """dataset.json: classes (in label order), note, licence, name, language, prompt, all optional."""
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if not isinstance(card, dict):
        raise DataError(f"{path} is not a JSON object")
    classes = card.get("classes", [])
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise DataError(f"{path}: 'classes' must be a list of names, in the order of the labels")
    for key in ("note", "licence", "name", "language"):
        if not isinstance(card.get(key, ""), str):
            raise DataError(f"{path}: '{key}' must be text")
    return card


# ---------------------------------------------------------------- the other sources, in their order


def _from_hub_cache(suite: Suite, _progress: Progress | None) -> Raw | None:
    from bench.files.hub import cached_file

    return _from_hub_files(suite, cached_file, "hub-cache")


def _from_hub(suite: Suite, _progress: Progress | None) -> Raw | None:
    from bench.files.hub import fetch_file

    return _from_hub_files(suite, fetch_file, "hub")


def _from_hub_files(
    suite: Suite, get: Callable[[str, str, str, str], Path | None], kind: Literal["hub", "hub-cache"]
) -> Raw | None:
    hub = suite.hub
    if hub is None:
        return None
    tables: dict[str, Table] = {}
    for split, name in (("train", hub.train), ("test", hub.test), ("validation", hub.validation)):
        if name is None:
            continue
        path = get(hub.repo, name, hub.revision, "dataset")
        if path is None:
            return None
        tables[split] = read_table(path, Reading(text_column=hub.text_column, label_column=hub.label_column))
    return Raw(
        source=Source(kind=kind, name=hub.repo, revision=hub.revision, licence=hub.licence, note=hub.note),
        train=tables["train"],
        test=tables.get("test"),
        validation=tables.get("validation"),
        classes=hub.classes,
        test_share=HUB_TEST_SHARE,
    )


def _from_package(suite: Suite, progress: Progress | None) -> Raw | None:
    if suite.package is None:
        return None
    from bench.data.packaged import read_packaged

    found = read_packaged(suite.package.reader, suite.package.asset, progress)
    return Raw(
        source=Source(
            kind="package", name=found.origin, revision=found.revision, licence=found.licence, note=suite.package.note
        ),
        train=found.train,
        test=found.test,
        notes=found.notes,
    )


def _from_sample(suite: Suite, _progress: Progress | None) -> Raw | None:
    if suite.sample is None:
        return None
    return Raw(
        source=Source(
            kind="sample",
            name=f"bench/data/samples/{suite.sample}",
            licence="own texts of this project",
            note="texts written by this project; not comparable with any published figure",
        ),
        train=read_table(SAMPLES / suite.sample),
        test_share=SAMPLE_TEST_SHARE,
    )


_AFTER_LOCAL: dict[str, Callable[[Suite, Progress | None], Raw | None]] = {
    "hub cache": _from_hub_cache,
    "hub": _from_hub,
    "package": _from_package,
    "sample": _from_sample,
}
