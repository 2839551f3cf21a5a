"""Finds the files of a user's model folder that loading reads, and names what is wrong with them before it starts."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path
from typing import Any

from bench.errors import AssetError, NotAvailable
from bench.models.prepared import INDEX, OPTIONAL, WEIGHTS

POINTER = b"version https://git-lfs"
SHARD = re.compile(r"model-\d+-of-(\d+)\.safetensors")
PICKLED_WEIGHTS = "pytorch_model.bin"
PICKLED_INDEX = "pytorch_model.bin.index.json"
OTHER_WEIGHTS = ("model.ckpt", "tf_model.h5", "flax_model.msgpack")
PACKED_SETTINGS = ("quantize_config.json", "quant_config.json")  # of AutoGPTQ and AutoAWQ, beside a plain config.json
PACKED_KEYS = ("quantization_config", "compression_config", "quantization")  # the last is MLX's
PACKED_NAMES = (".qweight", ".weight_packed", ".SCB", ".absmax")  # of GPTQ and AWQ, compressed-tensors, bitsandbytes
# What serves weights that are packed in few bits.
PACKED = "pip install 'text-classifier-bench[vllm]', `vllm serve` the folder and name the server with --endpoint"


def model_files(folder: Path, named: str) -> dict[str, Path]:
    """Config, weights and tokenizer by name; raises AssetError for what is missing, cut off, or a git-lfs pointer."""
    _refuse_dead_links(folder, named)
    if settings := next((name for name in PACKED_SETTINGS if (folder / name).is_file()), None):
        raise NotAvailable(f"{named}: its weights are packed ({settings}), which no engine here reads; {PACKED}")
    weights = weight_files(folder, named)
    known = ("config.json", *OPTIONAL)
    files = {name: folder / name for name in known if (folder / name).is_file()} | weights
    for name, path in files.items():
        check_file(path, f"{named}/{name}")
    if "config.json" not in files:
        raise AssetError(f"{named}: config.json is missing; name a folder that save_pretrained has written")
    for path in weights.values():
        if path.suffix == ".safetensors":
            check_safetensors(path, f"{named}/{path.name}")
    return files


def _refuse_dead_links(folder: Path, named: str) -> None:
    """A folder copied out of the hub's cache may hold links alone, to files that stayed there."""
    for path in sorted(folder.iterdir()):
        if path.is_symlink() and not path.exists() and path.suffix in (".json", ".safetensors", ".bin", ".model"):
            raise AssetError(f"{named}/{path.name} is a link to {path.readlink()}, which is not there; copy the file")


def weight_files(folder: Path, named: str) -> dict[str, Path]:
    """The one file of weights, or the index and every shard that it names; pickled ones where there are no others."""
    if (folder / WEIGHTS).is_file():
        return {WEIGHTS: folder / WEIGHTS}
    if (folder / INDEX).is_file():
        return {INDEX: folder / INDEX} | _present(folder, named, INDEX, _shards(folder, named, INDEX))
    if (folder / PICKLED_WEIGHTS).is_file():
        return {PICKLED_WEIGHTS: folder / PICKLED_WEIGHTS}
    if (folder / PICKLED_INDEX).is_file():
        return _present(folder, named, PICKLED_INDEX, _shards(folder, named, PICKLED_INDEX))
    raise AssetError(f"{named} has no safetensors{_instead(folder)}")


def _shards(folder: Path, named: str, index: str) -> list[str]:
    check_file(folder / index, f"{named}/{index}")
    try:
        return sorted(set(read_json(folder / index, f"{named}/{index}")["weight_map"].values()))
    except (KeyError, TypeError, AttributeError) as error:
        raise AssetError(f"{named}/{index} has no weight_map; copy it again") from error


def _present(folder: Path, named: str, index: str, shards: list[str]) -> dict[str, Path]:
    if missing := [name for name in shards if not (folder / Path(name).name).is_file()]:
        raise AssetError(
            f"{named}: {missing[0]} is missing, one of the {len(shards)} shards that {index} names; copy it too"
        )
    return {Path(name).name: folder / Path(name).name for name in shards}


def _instead(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    shards = [name for name in names if SHARD.fullmatch(name)]
    if shards:
        return f" that can be read: {shards[0]} is a shard, and {INDEX} is missing; copy it too"
    if variants := [name for name in names if name.endswith(".safetensors") and not name.startswith("adapter")]:
        return f" by the name {WEIGHTS}: only {variants[0]}; rename it"
    if gguf := [name for name in names if name.endswith(".gguf")]:
        return f", only {gguf[0]}; a GGUF file is served by llama.cpp: name its server with --endpoint"
    if pickled := [name for name in names if name in OTHER_WEIGHTS or name.endswith((".bin", ".pt", ".pth"))]:
        return f", only {pickled[0]}; convert it with save_pretrained: only {PICKLED_WEIGHTS} is converted here"
    if inner := sorted(path.name for path in folder.iterdir() if (path / "config.json").is_file()):
        return f"; name one of its folders, such as {inner[-1]}"
    return "; name a folder that save_pretrained has written"


def _pointer(named: str) -> str:
    return f"{named} is a git-lfs pointer, not the file itself: `git lfs pull` in its repository"


def check_file(path: Path, named: str) -> None:
    """Raise AssetError for a git-lfs pointer and an empty file."""
    with path.open("rb") as file:
        start = file.read(len(POINTER))
    if start == POINTER:
        raise AssetError(_pointer(named))
    if not start:
        raise AssetError(f"{named} is empty; copy it again")


def check_safetensors(path: Path, named: str) -> None:
    """Raise AssetError for a file that was cut off, NotAvailable for packed weights: of its header and its length."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
    except SafetensorError as error:
        raise AssetError(f"{named} is cut off or damaged ({error}); copy it again") from error
    if not names:
        raise AssetError(f"{named} holds no weights")
    if packed := next((name for name in names if name.endswith(PACKED_NAMES)), None):
        raise NotAvailable(f"{named} holds packed weights ({packed}), which no engine here reads; {PACKED}")


def read_json(path: Path, named: str) -> Any:
    """The content of a JSON file, with or without a byte order mark; raises AssetError where it is none."""
    try:
        content = plain_bytes(path)
    except OSError as error:
        raise AssetError(f"{named} cannot be read ({error.strerror}); copy it again") from error
    if content.startswith(POINTER):
        raise AssetError(_pointer(named))
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise AssetError(f"{named} is no JSON ({error}); copy or repair it") from error


def plain_bytes(path: Path) -> bytes:
    """A JSON file's bytes without the byte order mark that some editors put first."""
    return path.read_bytes().removeprefix(codecs.BOM_UTF8)


def check_servable(config: dict[str, Any], named: str) -> None:
    """Raise NotAvailable for weights packed in few bits and for models of code of their own, which is never run."""
    packed = next((config[key] for key in PACKED_KEYS if config.get(key)), None)
    if packed:
        method = packed.get("quant_method", "few bits") if isinstance(packed, dict) else "few bits"
        raise NotAvailable(f"{named}: its weights are packed ({method}), which no engine here reads; {PACKED}")
    from transformers import CONFIG_MAPPING

    kind = config.get("model_type")
    if kind in CONFIG_MAPPING:
        return
    if config.get("auto_map"):
        code = ", ".join(sorted(map(str, config["auto_map"].values())))
        raise NotAvailable(f"{named} needs code of its own ({code}), and a model's code is never run")
    from transformers import __version__

    what = f"model_type '{kind}' is unknown to transformers {__version__}" if kind else "it has no model_type"
    raise AssetError(f"{named}/config.json: {what}; name a folder that save_pretrained has written, or upgrade")
