"""Where a task's texts come from: a folder or file, the hub, a package's archive, or the built-in sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.data.readers import Table, data_suffixes, read_table
from bench.data.suites import Suite
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
    test_share: float = OWN_TEST_SHARE
    notes: tuple[str, ...] = ()


def suite_source(suite: Suite, data: Path | None, progress: Progress | None) -> Raw:
    """The first source that has the suite: `data`, hub cache, hub, package, sample; raises NotAvailable if none."""
    reasons: list[str] = []
    if data is not None:
        local = _suite_in(suite, data)
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


def open_path(path: Path, text_column: str | None = None, label_column: str | None = None) -> Raw:
    """A file, or a folder of {train,test[,validation]} files with an optional dataset.json."""
    if not path.exists():
        raise DataError(f"--data {path}: no such file or folder")
    if path.is_file():
        return Raw(source=Source(kind="local", name=str(path)), train=read_table(path, text_column, label_column))
    if _split_file(path, "train") is None:
        raise DataError(f"--data {path}: no {_wanted('train')} in it{_hint(path)}")
    return _open_folder(path, text_column, label_column)


def _suite_in(suite: Suite, data: Path) -> Raw | None:
    """The suite's own folder in `data`, or `data` itself; None when it holds only other tasks."""
    if not data.exists():
        raise DataError(f"--data {data}: no such file or folder")
    if data.is_file() or _split_file(data, "train") is not None:
        return open_path(data)
    if (data / suite.folder).is_dir():
        return open_path(data / suite.folder)
    for suffix in data_suffixes():
        if (data / f"{suite.folder}{suffix}").is_file():
            return open_path(data / f"{suite.folder}{suffix}")
    if not _tasks_in(data):
        raise DataError(f"--data {data}: no data in it; expected {suite.folder}/{_wanted('train')}")
    return None


def _open_folder(folder: Path, text_column: str | None, label_column: str | None) -> Raw:
    tables: dict[str, Table] = {}
    for split in ("train", "test", "validation"):
        file = _split_file(folder, split)
        if file is not None:
            tables[split] = read_table(file, text_column, label_column)
    card = _read_card(folder / "dataset.json")
    classes = card.get("classes")
    return Raw(
        source=Source(kind="local", name=str(folder), licence=card.get("licence"), note=card.get("note")),
        train=tables["train"],
        test=tables.get("test"),
        validation=tables.get("validation"),
        classes=tuple(classes) if classes else None,
        title=card.get("name"),
        language=card.get("language"),
    )


def _split_file(folder: Path, split: str) -> Path | None:
    found = [folder / f"{split}{suffix}" for suffix in data_suffixes() if (folder / f"{split}{suffix}").is_file()]
    if len(found) > 1:
        raise DataError(f"{folder} has both {found[0].name} and {found[1].name}; keep one")
    return found[0] if found else None


def _tasks_in(folder: Path) -> list[str]:
    return sorted(child.name for child in folder.iterdir() if child.is_dir() and _split_file(child, "train"))


def _wanted(split: str) -> str:
    return f"{split}.{{{','.join(suffix[1:] for suffix in data_suffixes())}}}"


def _hint(folder: Path) -> str:
    tasks = _tasks_in(folder)
    return f"; name one of its data sets, such as --data {folder / tasks[0]}" if tasks else ""


def _read_card(path: Path) -> dict[str, Any]:
    """dataset.json: classes (in label order), note, licence, name, language, all optional."""
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
        tables[split] = read_table(path, hub.text_column, hub.label_column)
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
