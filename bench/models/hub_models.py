"""Fetches any model repository of the hub, or of a mirror (HF_ENDPOINT), into the hub's own cache."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from bench.errors import AssetError, NotAvailable
from bench.files.hub import cached_snapshot, fetch_file, list_files
from bench.models.folder_files import PICKLED_INDEX, read_json
from bench.models.folder_files import PICKLED_WEIGHTS as PICKLED
from bench.models.prepared import INDEX, OPTIONAL, WEIGHTS
from bench.types import Progress

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(?:@[\w./-]+)?")
CONFIGS = ("config.json", "adapter_config.json")
ADAPTER = "adapter_model.safetensors"
# What says how a sentence vector is made; each module has a config in a folder of its own.
SENTENCE = (
    "modules.json",
    "config_sentence_transformers.json",
    *(
        f"sentence_{kind}_config.json"
        for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
    ),
)
MODULE = re.compile(r"\d+_\w+/.+")


def is_hub_name(name: str) -> bool:
    """Whether it can be `org/name` or `org/name@revision`, and is no folder here."""
    return bool(NAME.fullmatch(name)) and not Path(name).expanduser().is_dir()


def fetch_model(name: str, progress: Progress | None) -> tuple[Path, str]:
    """The folder of the repository's files in the hub's cache, and its commit.

    A model that is whole in the cache is not asked for again. Raises NotAvailable where the hub cannot be used,
    AssetError for a repository without a model.
    """
    repo, _, revision = name.partition("@")
    revision = revision or "main"
    cached = cached_snapshot(repo, revision, "model")
    if cached is not None and _is_whole(*cached[:1]):
        return cached
    try:
        commit, files = list_files(repo, revision, "model")
    except NotAvailable as error:
        raise NotAvailable(f"base model {name}: there is no such folder, and from the hub: {error}") from error
    wanted = _wanted(name, files, lambda file: _fetch(repo, file, commit))
    folder: Path | None = None
    for at, file in enumerate(wanted):
        if progress is not None:
            progress(f"downloading {repo}", at, len(wanted))
        path = _fetch(repo, file, commit)
        folder = path.parents[file.count("/")]
    assert folder is not None  # noqa: S101 - _wanted names a config at least
    _remember(folder, revision, commit)
    return folder, commit


def _fetch(repo: str, file: str, commit: str) -> Path:
    path = fetch_file(repo, file, commit)
    if path is None:
        raise AssetError(f"{repo}@{commit[:8]} lists {file} and does not have it")
    return path


def _remember(folder: Path, revision: str, commit: str) -> None:
    """Note which commit a branch or tag was, as the hub's library does, so that it is found without asking."""
    if revision != commit:
        reference = folder.parents[1] / "refs" / revision
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(commit, encoding="utf-8")


def _wanted(name: str, files: list[str], fetch: Callable[[str], Path]) -> list[str]:
    """Config, tokenizer, sentence settings and one set of weights: safetensors where there are some."""
    chosen = [file for file in files if file in (*CONFIGS, *OPTIONAL, *SENTENCE) or _of_module(file)]
    if not any(file in CONFIGS for file in chosen):
        raise AssetError(f"{name} has no config.json; it is no model of transformers")
    found = next((file for file in (WEIGHTS, INDEX, ADAPTER, PICKLED, PICKLED_INDEX) if file in files), None)
    if found is None and not any(MODULE.fullmatch(file) for file in chosen):
        raise AssetError(f"{name} has neither safetensors nor {PICKLED}")
    weights = [] if found is None else [found]
    if found in (INDEX, PICKLED_INDEX):
        weights += _shards(fetch(found))
    return [*chosen, *weights]


def _of_module(file: str) -> bool:
    known = {"config.json", WEIGHTS, *OPTIONAL, *SENTENCE}
    return bool(MODULE.fullmatch(file)) and file.partition("/")[2] in known


def _shards(index: Path) -> list[str]:
    try:
        return sorted(set(read_json(index, index.name)["weight_map"].values()))
    except (KeyError, TypeError, AttributeError) as error:
        raise AssetError(f"{index.name} has no weight_map") from error


def _is_whole(folder: Path) -> bool:
    """Whether a config and every part of one set of weights are there."""
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    if not names & set(CONFIGS):
        return False
    for file in (WEIGHTS, ADAPTER, PICKLED):
        if file in names:
            return True
    for file in (INDEX, PICKLED_INDEX):
        if file in names:
            return set(json.loads((folder / file).read_bytes())["weight_map"].values()) <= names
    return any(MODULE.fullmatch(name) and name.endswith(WEIGHTS) for name in names)
