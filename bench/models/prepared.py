"""Keeps a model as one folder of the cache: safetensors, config, tokenizer, and where each file is from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.errors import AssetError
from bench.files.cache import file_sha256
from bench.files.packages import disk_is_full, no_space
from bench.models.slow_tokenizer import compare_with_slow

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TOKENIZER = "tokenizer.json"
ORIGIN = "origin.json"
# What loading may read beside config.json and the weights: no pickled weights, no code.
OPTIONAL = (
    TOKENIZER,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
)


def is_ready(folder: Path) -> bool:
    """Whether the folder is whole; a damaged one is removed, so that it is made again."""
    if not (folder / ORIGIN).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        return False
    files = read_origin(folder)["files"]
    if all((folder / file).is_file() and file_sha256(folder / file) == digest for file, digest in files.items()):
        return True
    shutil.rmtree(folder)
    return False


def finish(folder: Path, origin: str, note: str | None = None, **facts: Any) -> None:
    """Write down where the files are from, what is known of them, and their hashes, last of all."""
    files = {file.name: file_sha256(file) for file in sorted(folder.iterdir())}
    about = {"origin": origin, "note": note, "files": files, **facts}
    (folder / ORIGIN).write_text(json.dumps(about, indent=1), encoding="utf-8")


def read_origin(folder: Path) -> dict[str, Any]:
    """What `finish` wrote."""
    about: dict[str, Any] = json.loads((folder / ORIGIN).read_bytes())
    return about


def content_sha256(files: dict[str, str]) -> str:
    """One hash of every file that loading may read: weights, config, tokenizer, chat template."""
    return sha256(json.dumps(files, sort_keys=True).encode("utf-8")).hexdigest()


def ensure_tokenizer(named: str, folder: Path) -> str:
    """Older folders carry a vocabulary only: transformers makes tokenizer.json of it; what the result says of that."""
    told = ""
    if not (folder / TOKENIZER).exists():
        from transformers import AutoTokenizer

        # In a folder of its own: the files here may be links into the hub's cache, which must not be written through.
        made = folder / "made"
        try:
            AutoTokenizer.from_pretrained(folder, local_files_only=True).save_pretrained(made)
            (made / TOKENIZER).replace(folder / TOKENIZER)
        except Exception as error:  # whatever transformers raises, the tokenizer cannot be made
            reason = (str(error).splitlines() or [type(error).__name__])[0].replace(str(folder), named)
            raise AssetError(f"{named} has no tokenizer that can be read: {reason}") from error
        shutil.rmtree(made)
        told = compare_with_slow(folder, named)
    _plain_tokenizer(folder / TOKENIZER, named)
    return told


def _plain_tokenizer(path: Path, named: str) -> None:
    """Take truncation and padding out of the file: each engine sets its own, and MiniLM's file cuts at 128."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AssetError(f"{named}/{TOKENIZER} is no JSON: {error}") from error
    if content.get("truncation") is None and content.get("padding") is None:
        return
    path.unlink()
    changed = {**content, "truncation": None, "padding": None}
    path.write_text(json.dumps(changed, ensure_ascii=False), encoding="utf-8")


@contextmanager
def disk_errors(what: str, folder: Path) -> Iterator[None]:
    """Say of a full or unwritable disk what could not be kept where."""
    try:
        yield
    except Exception as error:
        if disk_is_full(error):
            raise AssetError(no_space(what, folder.parent)) from error
        if isinstance(error, OSError):
            raise AssetError(f"{what} cannot be kept in {folder.parent}: {error}") from error
        raise
