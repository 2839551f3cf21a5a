"""Checks a base model of the user's own, copies it into the cache, and says what was taken from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from bench.errors import AssetError
from bench.files.cache import cache_dir, clone_or_copy, file_sha256, whole_folder
from bench.models.adapter_folder import is_adapter, merge_adapter, refuse_both
from bench.models.class_names import mend_labels
from bench.models.folder_files import check_servable, model_files, plain_bytes, read_json
from bench.models.hub_models import fetch_model
from bench.models.limits import UNSTATED, check_vocabulary, skeleton, tokenizer_limit, usable_positions
from bench.models.pickled import convert_pickled
from bench.models.prepared import (
    TOKENIZER,
    content_sha256,
    disk_errors,
    ensure_tokenizer,
    finish,
    is_ready,
    read_origin,
)
from bench.models.sentence_transformers import SentenceSettings, read_sentence_settings, settings_of_base
from bench.types import BaseWeights, Progress

FORM = 2  # of the copies; another number makes them anew

FindBase = Callable[[str, Progress | None], BaseWeights]


def own_folder(name: str, progress: Progress | None, find_base: FindBase) -> BaseWeights:
    """A model on disk, as a copy in the cache that nobody writes to; an adapter merged into the base it names.

    Sentence vectors are made as the folder's modules.json says; without one, decoders are pooled at the last token,
    others at the first. Raises AssetError or NotAvailable with the user's own file and what is wrong with it.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        raise AssetError(f"base model {name}: there is no such folder")
    return _of_folder(name, folder, f"folder {name}", progress, find_base)


def hub_model(name: str, progress: Progress | None, find_base: FindBase) -> BaseWeights:
    """A repository of the hub by its name, `org/name` or `org/name@revision`; it says all of itself, as a folder does.

    Raises NotAvailable where the hub cannot be used, AssetError for a repository that cannot be loaded.
    """
    folder, commit = fetch_model(name, progress)
    origin = f"hub {name.partition('@')[0]}@{commit[:8]}"
    return _of_folder(name, folder, origin, progress, find_base)


def _of_folder(name: str, folder: Path, origin: str, progress: Progress | None, find_base: FindBase) -> BaseWeights:
    settings = read_sentence_settings(folder, name)
    if not is_adapter(folder):
        refuse_both(name, folder)
        return _prepare(name, folder, origin, settings)
    merged, how, base = merge_adapter(name, folder, progress, find_base)
    settings = replace(settings, folder=merged) if settings else settings_of_base(base, merged)
    return _prepare(name, merged, f"{origin}, {how}", settings)


def _prepare(name: str, folder: Path, origin: str, settings: SentenceSettings | None) -> BaseWeights:
    files = model_files(settings.folder if settings else folder, name)
    key = {file: file_sha256(path) for file, path in files.items()}
    told = [repr(settings), origin, str(FORM)]
    digest = sha256(json.dumps([key, told]).encode("utf-8")).hexdigest()
    target = cache_dir() / "models" / f"own-{folder.resolve().name[:40]}-{digest[:12]}"
    if not is_ready(target):
        with disk_errors(name, target), whole_folder(target) as scratch:
            _copy(name, files, scratch)
            _finish(name, scratch, settings, origin + _convert(name, files, scratch))
    return _as_base(name, target, settings)


def _copy(name: str, files: dict[str, Path], scratch: Path) -> None:
    """Weights as they are, JSON without a byte order mark."""
    for file, path in files.items():
        if path.suffix == ".bin":
            continue
        if path.suffix == ".json":
            read_json(path, f"{name}/{file}")
            (scratch / file).write_bytes(plain_bytes(path))
        else:
            clone_or_copy(path.resolve(), scratch / file)


def _convert(name: str, files: dict[str, Path], scratch: Path) -> str:
    """Make safetensors of pickled weights; what the result says of it."""
    parts = [path for file, path in files.items() if file.endswith(".bin")]
    if not parts:
        return ""
    convert_pickled(name, parts, scratch)
    return f", converted from {parts[0].name}"


def _finish(name: str, scratch: Path, settings: SentenceSettings | None, origin: str) -> None:
    """Mend what can be read but not loaded, check what is left, write down the limits that the folder sets."""
    raw = read_json(scratch / "config.json", f"{name}/config.json")
    if not isinstance(raw, dict):
        raise AssetError(f"{name}/config.json is no table of settings; name a folder that save_pretrained has written")
    check_servable(raw, name)
    mended, labels = mend_labels(raw, name)
    if mended != raw:
        (scratch / "config.json").write_text(json.dumps(mended, indent=1, ensure_ascii=False), encoding="utf-8")
    config = _config(name, scratch)
    tokenizer = ensure_tokenizer(name, scratch)
    if settings and settings.lower_case:
        _lower_case(scratch / TOKENIZER)
    model = skeleton(config)
    check_vocabulary(scratch, model, name)
    positions = usable_positions(config, model)
    limits = {
        "positions of the model": positions,
        "model_max_length of the tokenizer": tokenizer_limit(scratch),
        "max_seq_length": settings.max_length if settings else None,
    }
    known = {what: limit for what, limit in limits.items() if limit}
    max_length = min(known.values(), default=UNSTATED)
    pooling = settings.pooling if settings else _usual_pooling(config)
    own_code = ("its code (auto_map) is not run",) if raw.get("auto_map") else ()
    vectors = settings.taken if settings else (f"{pooling} pooling, as there is no modules.json",)
    length = f"at most {max_length:,} tokens" + "".join(f" ({what})" for what in known if known[what] == max_length)
    taken = "; ".join((*vectors, length, *filter(None, (tokenizer, labels)), *own_code))
    finish(scratch, f"{origin}: {taken}", max_length=max_length, pooling=pooling, positions=positions)


def _config(name: str, folder: Path) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # whatever transformers raises, the config cannot be read
        reason = " ".join(str(error).split()).replace(str(folder), name)[:200]
        raise AssetError(f"{name}/config.json cannot be read: {reason}") from error


def _lower_case(tokenizer_json: Path) -> None:
    """Let the tokenizer do what sentence-transformers does before it."""
    from tokenizers import Tokenizer, normalizers

    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    before = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *before])
    tokenizer.save(str(tokenizer_json))


def _usual_pooling(config: Any) -> Literal["cls", "last"]:
    """Decoders read from left to right, so that their last token alone has seen the text."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    writes = config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and getattr(config, "is_decoder", True)
    return "last" if writes else "cls"


def _as_base(name: str, target: Path, settings: SentenceSettings | None) -> BaseWeights:
    about = read_origin(target)
    return BaseWeights(
        name=name,
        path=target,
        sha256=content_sha256(about["files"]),
        origin=about["origin"],
        pooling=about["pooling"],
        prefix=settings.prefix if settings else "",
        max_length=about["max_length"],
        positions=about["positions"],
        normalise=settings.normalise if settings else None,
        no_vectors=settings.no_vectors if settings else None,
    )
