"""Reads a folder that holds a PEFT adapter alone: merged into its base where that can be had."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.errors import AssetError, BenchError, NotAvailable
from bench.files.cache import cache_dir, clone_or_copy, file_sha256, whole_folder
from bench.models.folder_files import check_file, check_safetensors, read_json
from bench.models.prepared import INDEX, OPTIONAL, WEIGHTS, disk_errors, finish, is_ready
from bench.types import BaseWeights, Progress

CONFIG = "adapter_config.json"
ADAPTER = "adapter_model.safetensors"
STORED = "base_model.model."  # what peft puts before a weight's name
HEADS = tuple(f"{STORED}{name}.weight" for name in ("score", "classifier.out_proj", "classifier"))
AUTO_CLASSES = {"SEQ_CLS": "AutoModelForSequenceClassification", "CAUSAL_LM": "AutoModelForCausalLM"}


def is_adapter(folder: Path) -> bool:
    """Whether the folder has an adapter and no weights of a whole model."""
    return (folder / CONFIG).is_file() and not _is_whole(folder)


def refuse_both(name: str, folder: Path) -> None:
    """Raise AssetError for a whole model with an adapter beside it: nothing says whether it is merged already."""
    if (folder / ADAPTER).is_file() and _is_whole(folder):
        raise AssetError(
            f"{name} holds a whole model and an adapter ({ADAPTER}); keep one: the adapter with its {CONFIG}, or the "
            "model that it was merged into"
        )


def _is_whole(folder: Path) -> bool:
    return (folder / WEIGHTS).is_file() or (folder / INDEX).is_file()


def merge_adapter(
    name: str, folder: Path, progress: Progress | None, find_base: Callable[[str, Progress | None], BaseWeights]
) -> tuple[Path, str, BaseWeights]:
    """A folder of plain weights, how they came about, and the base.

    Raises NotAvailable where the base cannot be had or the adapter cannot be merged, AssetError where it does not fit.
    """
    config = read_json(folder / CONFIG, f"{name}/{CONFIG}")
    wanted, kind = str(config.get("base_model_name_or_path")), str(config.get("peft_type"))
    if not (folder / ADAPTER).is_file():
        raise AssetError(f"{name} is an adapter ({kind}) of {wanted} without {ADAPTER}; nothing is unpickled")
    check_file(folder / ADAPTER, f"{name}/{ADAPTER}")
    check_safetensors(folder / ADAPTER, f"{name}/{ADAPTER}")
    try:
        base = find_base(_place(folder, wanted, config.get("revision")), progress)
    except BenchError as error:
        raise NotAvailable(f"{name} is an adapter ({kind}) of {wanted}, which cannot be had: {error}") from error
    digest = sha256("".join([base.sha256, *(file_sha256(folder / file) for file in (CONFIG, ADAPTER))]).encode())
    target = cache_dir() / "models" / f"merged-{folder.resolve().name[:40]}-{digest.hexdigest()[:12]}"
    if not is_ready(target):
        with disk_errors(name, target), whole_folder(target) as scratch:
            _merge(name, folder, config, base).save_pretrained(scratch)
            for file in OPTIONAL:
                source = next((at / file for at in (folder, base.path) if (at / file).is_file()), None)
                if source is not None and not (scratch / file).exists():
                    clone_or_copy(source, scratch / file)
            finish(scratch, name)
    return target, f"an adapter ({kind}) of {wanted} ({base.origin}), merged into it", base


def _place(folder: Path, wanted: str, revision: str | None) -> str:
    """A base on disk is named from the adapter's folder or from here; another is one of the hub's, at its revision."""
    for place in (folder.parent / wanted, Path(wanted).expanduser()):
        if place.is_dir():
            return str(place.absolute())
    return f"{wanted}@{revision}" if revision and revision != "main" else wanted


def _merge(name: str, folder: Path, config: dict[str, Any], base: BaseWeights) -> Any:
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(folder / ADAPTER, framework="pt") as file:
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    model = _base_model(name, config, base, shapes)
    try:
        adapted = PeftModel.from_pretrained(model, folder, local_files_only=True)
        read = set(get_peft_model_state_dict(adapted))
    except (ValueError, TypeError, RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise AssetError(f"{name} is an adapter that does not fit {base.name}: {reason}") from error
    if differing := sorted(read ^ shapes.keys()):
        raise AssetError(f"{name} is an adapter that does not fit {base.name}: {differing[0]} is only in one of them")
    if not hasattr(adapted, "merge_and_unload"):
        raise NotAvailable(f"{name} is an adapter ({config.get('peft_type')}) that cannot be merged into its base")
    return adapted.merge_and_unload()


def _base_model(name: str, config: dict[str, Any], base: BaseWeights, shapes: dict[str, tuple[int, ...]]) -> Any:
    """The base with the head that the adapter brings, or with its own."""
    import transformers

    from bench.classifiers.pretrained import load_pretrained, load_with_new_head

    auto_class = getattr(transformers, AUTO_CLASSES.get(str(config.get("task_type")), "AutoModel"))
    classes = next((shapes[head][0] for head in HEADS if head in shapes), None)
    if classes is None:
        return load_pretrained(auto_class, base.path, base.name)
    model, fresh = load_with_new_head(auto_class, base.path, base.name, num_labels=classes)
    if untrained := sorted(weight for weight in fresh if STORED + weight not in shapes):
        raise AssetError(f"{name} is an adapter without {untrained[0]}, which {base.name} has no trained weights for")
    return model
