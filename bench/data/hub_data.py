"""Finds a data set of the Hugging Face hub by name: its files in the hub's cache, else fetched from the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from bench.data.cards import CARD, INFOS, ListedClasses, listed_classes, read_card
from bench.data.parts import MissingShard, is_data, part_of_name, parts_among
from bench.errors import DataError, NotAvailable
from bench.files.hub import cached_snapshot, fetch_file, list_files

HUB_PREFIX = "hf:"
_NAME = re.compile(r"hf:(?P<repo>[\w.-]+(/[\w.-]+)?)(@(?P<revision>[\w./-]+))?(:(?P<config>[\w.-]+))?")


@dataclass(frozen=True)
class HubData:
    """The files of each part on this machine, and the revision they are of."""

    repo: str
    revision: str
    kind: Literal["hub", "hub-cache"]
    parts: dict[str, list[Path]]
    licence: str | None = None
    classes: ListedClasses | None = None


def find_hub_data(name: str) -> HubData:
    """The files of `hf:org/name[@revision][:config]`; raises DataError for a name or a layout that cannot be read."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise DataError(f"--data {name}: expected hf:ORG/NAME, hf:ORG/NAME@REVISION or hf:ORG/NAME@REVISION:CONFIG")
    repo, revision, config = match["repo"], match["revision"] or "main", match["config"]
    return _find_cached(name, repo, revision, config) or _fetch(name, repo, revision, config)


def _find_cached(name: str, repo: str, revision: str, config: str | None) -> HubData | None:
    """What is whole in the hub's cache; a download that broke off leaves some of the shards, or train alone."""
    cached = cached_snapshot(repo, revision, "dataset")
    if cached is None:
        return None
    folder, commit = cached
    files = [PurePosixPath(file.relative_to(folder)) for file in sorted(folder.rglob("*")) if file.is_file()]
    card = read_card(folder / CARD)
    try:
        parts = _parts(name, files, card, config)
    except MissingShard:
        return None
    if not {"train", *_listed_splits(card, config)} <= parts.keys():
        return None
    found = {part: [folder / file for file in names] for part, names in parts.items()}
    return HubData(repo, commit, "hub-cache", found, _licence(card), listed_classes(folder, config))


def _listed_splits(card: dict[str, Any], config: str | None) -> set[str]:
    """The parts that the card describes for the configuration, as far as they are parts at all."""
    infos = card.get("dataset_info") or []
    infos = [info for info in (infos if isinstance(infos, list) else [infos]) if isinstance(info, dict)]
    chosen = [info for info in infos if info.get("config_name", "default") == (config or "default")]
    splits = [split for info in chosen for split in info.get("splits") or [] if isinstance(split, dict)]
    return {part for split in splits if (part := part_of_name(str(split.get("name", "")))) is not None}


def _fetch(name: str, repo: str, revision: str, config: str | None) -> HubData:
    try:
        commit, listed = list_files(repo, revision, "dataset")
        card = read_card(fetch_file(repo, CARD, commit, "dataset")) if CARD in listed else {}
        parts = _parts(name, [PurePosixPath(file) for file in listed], card, config)
        if "train" not in parts:
            script = any(file.endswith(".py") for file in listed)
            why = "only a script, which is never run; try @refs/convert/parquet" if script else "no train part"
            raise DataError(f"--data {name}: the data set holds {why} ({', '.join(listed[:5])})")
        about = [fetch_file(repo, name, commit, "dataset") for name in (CARD, *INFOS) if name in listed]
        folder = next((path.parent for path in about if path is not None), None)
        classes = listed_classes(folder, config) if folder is not None else None
        found: dict[str, list[Path]] = {}
        for part, files in parts.items():
            fetched = [fetch_file(repo, str(file), commit, "dataset") for file in files]
            found[part] = [path for path in fetched if path is not None]
    except NotAvailable as error:
        raise NotAvailable(
            f"--data {name}: not in the hub's cache, and {error}; fetch it where the hub can be reached with "
            f"`hf download --repo-type dataset {repo}`"
        ) from error
    return HubData(repo, commit, "hub", found, _licence(card), classes)


# ---------------------------------------------------------------- which files


def _parts(
    name: str, files: list[PurePosixPath], card: dict[str, Any], config: str | None
) -> dict[str, list[PurePosixPath]]:
    """The files of each part: as the data set's card says, else by their names."""
    configs = {str(entry.get("config_name", "default")): entry for entry in card.get("configs") or []}
    if configs:
        return _named_parts(files, _chosen(name, configs, config))
    folders = sorted({file.parts[0] for file in files if len(file.parts) > 1 and _holds_train(files, file.parts[0])})
    if config is not None and config in folders:
        return _below(name, files, config)
    found = parts_among(name, files)
    if config is not None and config != "default":
        raise DataError(
            f"--data {name}: no configuration '{config}'; it has {', '.join(folders) or 'only the default'}"
        )
    if "train" in found or not folders:
        return found
    return _below(name, files, _chosen(name, {folder: folder for folder in folders}, None))


def _holds_train(files: list[PurePosixPath], folder: str) -> bool:
    return any(
        file.parts[0] == folder and is_data(file) and any(part_of_name(part) == "train" for part in file.parts[1:])
        for file in files
        if len(file.parts) > 1
    )


def _below(name: str, files: list[PurePosixPath], folder: str) -> dict[str, list[PurePosixPath]]:
    inner = [file.relative_to(folder) for file in files if file.parts[0] == folder and len(file.parts) > 1]
    return {part: [folder / file for file in found] for part, found in parts_among(name, inner).items()}


def _chosen(name: str, configs: dict[str, Any], config: str | None) -> Any:
    if config is not None:
        if config not in configs:
            raise DataError(f"--data {name}: no configuration '{config}'; it has {', '.join(sorted(configs))}")
        return configs[config]
    default = [entry for entry in configs.values() if isinstance(entry, dict) and entry.get("default")]
    if len(configs) > 1 and not default:
        raise DataError(f"--data {name}: which configuration, {', '.join(sorted(configs))}? say :NAME after the name")
    return (default or list(configs.values()))[0]


def _named_parts(files: list[PurePosixPath], entry: dict[str, Any]) -> dict[str, list[PurePosixPath]]:
    """The files that a configuration of the card names: a pattern, or patterns for each split."""
    named = entry.get("data_files") or []
    if isinstance(named, str):
        return {"train": [file for file in files if fnmatch(str(file), named)]}
    found: dict[str, list[PurePosixPath]] = {}
    for split in named:
        part = part_of_name(str(split.get("split", "")))
        patterns = split.get("path", [])
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            matching = [file for file in files if fnmatch(str(file), pattern)]
            if part is not None and matching:
                found.setdefault(part, []).extend(matching)
    return found


def _licence(card: dict[str, Any]) -> str | None:
    licence = card.get("license")
    return ", ".join(licence) if isinstance(licence, list) else licence
