"""Builds published architectures without their weights: config and tokenizer in a folder, for rates alone."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from bench.errors import AssetError, NotAvailable, unknown_name
from bench.files.archives import copy_member
from bench.files.cache import cache_dir, file_sha256, link_or_copy, whole_folder
from bench.files.packages import fetch_archive, find_asset
from bench.files.toml import read_toml
from bench.models.base import base_weights
from bench.types import BaseWeights, Progress, Recipe, Record

TOKENIZER = "tokenizer.json"
TOKENIZER_LIMIT_BYTES = 64 * 2**20
PACKAGED_TOKENIZER = "package/models/tokenizer.json"


class TokenizerSource(Record):
    """Where a tokenizer may come from: the hub, a base model, a package; `true` where it is the model's own."""

    note: str
    true: bool = True
    repo: str | None = None
    model: str | None = None
    asset: str | None = None


class ArchitectureSpec(Record):
    """One architecture: config.json's facts, where they are published, how a classifier is made of it."""

    title: str
    source: str
    head: Literal["linear", "options", "embedding"]
    pooling: Literal["cls", "last"]
    tokenizers: tuple[TokenizerSource, ...]
    config: dict[str, Any]


@cache
def load_architectures() -> dict[str, ArchitectureSpec]:
    """Every architecture by name; `like` names the one that another differs from in a few facts."""
    content = read_toml(Path(__file__).parent / "architectures.toml")
    for fields in content.values():
        if like := fields.pop("like", None):
            fields.update(
                {**content[like], **fields, "config": {**content[like]["config"], **fields.get("config", {})}}
            )
    return {name: ArchitectureSpec.model_validate(fields) for name, fields in content.items()}


def random_recipes() -> list[Recipe]:
    """One recipe an architecture, with random weights."""
    return [
        Recipe(
            id=f"random-{name}",
            title=f"{spec.title}, random weights",
            method="random-weights",
            base_model=name,
            weights="random",
            params={"head": spec.head},
        )
        for name, spec in load_architectures().items()
    ]


def prepare_architecture(name: str, progress: Progress | None) -> BaseWeights:
    """The folder with config.json and tokenizer.json in the cache; raises NotAvailable when no tokenizer can be had."""
    if name not in load_architectures():
        raise unknown_name("architecture", name, load_architectures())
    spec = load_architectures()[name]
    reasons = []
    for source in spec.tokenizers:
        try:
            tokenizer = _tokenizer_file(source, progress)
        except (NotAvailable, AssetError) as error:
            reasons.append(str(error))
            continue
        return _folder(name, spec, source, tokenizer)
    raise NotAvailable(f"{name}: no tokenizer can be had: {'; '.join(reasons)}")


def _folder(name: str, spec: ArchitectureSpec, source: TokenizerSource, tokenizer: Path) -> BaseWeights:
    config = json.dumps(spec.config, indent=1, sort_keys=True)
    digest = sha256(f"{config}\n{file_sha256(tokenizer)}".encode()).hexdigest()
    folder = cache_dir() / "architectures" / f"{name}-{digest[:12]}"
    if not folder.is_dir():
        with whole_folder(folder) as scratch:
            (scratch / "config.json").write_text(config, encoding="utf-8")
            link_or_copy(tokenizer, scratch / TOKENIZER)
    return BaseWeights(
        name=name,
        path=folder,
        sha256=digest,
        origin=f"random weights; architecture of {spec.source}",
        pooling=spec.pooling,
        note=source.note,
    )


def _tokenizer_file(source: TokenizerSource, progress: Progress | None) -> Path:
    if source.model is not None:
        return base_weights(source.model, progress).path / TOKENIZER
    if source.asset is not None:
        return _packaged_tokenizer(source.asset, progress)
    return _hub_tokenizer(source.repo or "")


def _packaged_tokenizer(name: str, progress: Progress | None) -> Path:
    asset = find_asset(name)
    folder = cache_dir() / "tokenizers" / f"{asset.name}-{asset.version}"
    if not folder.is_dir():
        archive = fetch_archive(asset, progress)
        with whole_folder(folder) as scratch:
            copy_member(archive, PACKAGED_TOKENIZER, TOKENIZER_LIMIT_BYTES, scratch / TOKENIZER)
    return folder / TOKENIZER


def _hub_tokenizer(repo: str) -> Path:
    """From the hub's cache, else the hub; raises NotAvailable where neither has a tokenizer.json."""
    from bench.files.hub import cached_file, fetch_file, newest_revision

    revision = newest_revision(repo)
    found = cached_file(repo, TOKENIZER, revision) or fetch_file(repo, TOKENIZER, revision)
    if found is None:
        raise NotAvailable(f"{repo} has no {TOKENIZER}")
    return found.resolve()
