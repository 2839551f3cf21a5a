"""Reads pretrained models from local folders, the one safe way, and refuses weights that do not fit."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from bench.classifiers.sequence import find_head
from bench.errors import AssetError, BenchError, NotAvailable, UsageError, is_out_of_memory
from bench.files.cache import link_or_copy

MODEL_FILES = ("config.json", "tokenizer.json")
OPTIONAL_FILES = ("generation_config.json", "tokenizer_config.json", "chat_template.jinja")
POOLER = "pooler"  # of BERT-like bases: no sentence vector reads it, and a new head trains its own
# Buffers that older versions stored and that are computed now.
COMPUTED = (".position_ids", ".inv_freq", ".attn.bias", ".attn.masked_bias", ".attention.bias", ".masked_bias")
LISTED_NAMES = 4


def load_pretrained(auto_class: Any, folder: Path, named: str | None = None, **options: Any) -> Any:
    """A transformers model from a local folder: float32, safetensors, no code from the folder.

    `named` is what messages call the folder. Attention is transformers' own choice for the architecture: sdpa where it
    has one. Raises AssetError where a weight of the model is missing, has another shape, or one of its base is left
    over; NotAvailable where transformers has no such model.
    """
    return load_finished(auto_class, folder, named, **options)[0]


def load_finished(
    auto_class: Any, folder: Path, named: str | None = None, **options: Any
) -> tuple[Any, tuple[str, ...]]:
    """The same, and the names of the weights that the model has no place for: another task's head."""
    model, loading = _load(auto_class, folder, named or str(folder), options)
    missing = _missing(loading)
    if auto_class.__name__ == "AutoModel":
        missing = {name: shapes for name, shapes in missing.items() if _root(name) != POOLER}
    if missing:
        raise AssetError(_misfit(model, named or str(folder), missing, loading))
    return model, tuple(sorted(loading["unexpected_keys"]))


def load_with_new_head(auto_class: Any, folder: Path, named: str | None = None, **options: Any) -> tuple[Any, set[str]]:
    """The same, but what stands on the base may be missing: it is new, random; and the names of what is.

    The last layer is always new: a checkpoint's knows other classes, or the same ones in another order.
    """
    model, loading = _load(auto_class, folder, named or str(folder), options)
    missing = _missing(loading)
    of_base = {name: shapes for name, shapes in missing.items() if not _is_of_head(model, name)}
    if of_base:
        raise AssetError(_misfit(model, named or str(folder), of_base, loading))
    try:
        last = find_head(model)
    except UsageError:
        return model, set(missing)
    of_last = {name for name, weight in model.named_parameters() if any(weight is own for own in last.parameters())}
    if not of_last <= missing.keys():
        for weight in last.parameters():
            weight._is_hf_initialized = False  # type: ignore[attr-defined]
        model._init_weights(last)
    return model, of_last | missing.keys()


def _load(auto_class: Any, folder: Path, named: str, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    from transformers.utils import logging

    logging.disable_progress_bar()  # the harness has its own
    logging.set_verbosity_error()  # a new head's missing weights are meant
    try:
        model, loading = auto_class.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # named here, with their shapes
            output_loading_info=True,
            **options,
        )
    except Exception as error:  # whatever transformers or safetensors raise, the model cannot be had
        if isinstance(error, BenchError) or is_out_of_memory(error):
            raise
        reason = " ".join(str(error).replace(str(folder), named).split())
        if "Unrecognized configuration class" in reason:
            kind = auto_class.__name__.removeprefix("AutoModelFor").removeprefix("AutoModel") or "plain encoder"
            raise NotAvailable(f"{named}: transformers has no {kind} for this model: {reason[:120]}") from error
        raise AssetError(f"{named} cannot be loaded: {reason[:200]}") from error
    if auto_class.__name__ == "AutoModelForCausalLM" and getattr(model.config, "is_decoder", None) is False:
        raise NotAvailable(f"{named}: {model.config.model_type} reads both ways and writes nothing; take a decoder")
    if auto_class.__name__ == "AutoModel" and model.config.is_encoder_decoder:
        raise NotAvailable(
            f"{named}: {model.config.model_type} is an encoder with a decoder; no vectors are made of it"
        )
    left_over = [name for name in loading["unexpected_keys"] if _in_base(model, name) and not name.endswith(COMPUTED)]
    left_over = [name for name in left_over if _root(_own_name(model, name)) != POOLER]
    if left_over:
        raise AssetError(
            f"{named}: config.json describes a model without {_listed(left_over)}, which the weights hold; "
            "one of the two is another model's"
        )
    return model, loading


def _missing(loading: dict[str, Any]) -> dict[str, str]:
    """Weights that were not read, with the reason where it is their shape."""
    wrong = {
        name: f"{name} {tuple(found)} for {tuple(wanted)}" for name, found, wanted in sorted(loading["mismatched_keys"])
    }
    return {name: name for name in sorted(loading["missing_keys"])} | wrong


def _misfit(model: Any, named: str, missing: dict[str, str], loading: dict[str, Any]) -> str:
    """The sentence for weights that do not fit: what is missing, what is there instead, what to do."""
    what, unexpected = type(model).__name__, sorted(loading["unexpected_keys"])
    if all(_is_of_head(model, name) for name in missing) and not loading["mismatched_keys"]:
        return (
            f"{named} has no trained head: {_listed(missing.values())} {'is' if len(missing) == 1 else 'are'} missing "
            f"for {what}; train one (full-finetune, frozen-head), or name the folder of the finished classifier"
        )
    wanted = tuple(_own_name(model, name) for name in missing)
    renamed = [name for name in unexpected if name.endswith(wanted)]
    there = f"; the file holds {_listed(renamed)} instead" if renamed else ""
    roots = {_root(name) for name in renamed}
    advice = (
        f"; every name begins with '{roots.pop()}.': save the model itself, not its wrapper" if len(roots) == 1 else ""
    )
    return f"{named}: the weights do not fit {what}: missing {_listed(missing.values())}{there}{advice}"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - LISTED_NAMES} more" if len(names) > LISTED_NAMES else ""
    return ", ".join(names[:LISTED_NAMES]) + more


def _root(name: str) -> str:
    return name.partition(".")[0]


def _own_name(model: Any, name: str) -> str:
    """A weight's name within the base."""
    return name.removeprefix(f"{model.base_model_prefix}.") if model.base_model_prefix else name


def _in_base(model: Any, name: str) -> bool:
    """Whether a name is one of the base's parts, with or without the base's own name before it."""
    base = model.base_model
    parts = {part for part, _ in base.named_children()} | {part for part, _ in base.named_parameters(recurse=False)}
    if base is model or name.startswith(f"{model.base_model_prefix}."):
        return _root(_own_name(model, name)) in parts
    heads = {part for part, _ in model.named_children()} - {model.base_model_prefix}
    return _root(name) in parts - heads


def _is_of_head(model: Any, name: str) -> bool:
    return not _in_base(model, name) or _root(_own_name(model, name)) == POOLER


def link_model(source: Path, target: Path, names: Iterable[str] | None = None) -> None:
    """Put a model's files into a classifier folder: all of them, weights in one file or in shards, or those named."""
    if names is None:
        weights = sorted(path.name for path in source.glob("model*.safetensors*"))
        optional = [name for name in OPTIONAL_FILES if (source / name).exists()]
        names = (*MODEL_FILES, *weights, *optional)
    for name in names:
        link_or_copy(source / name, target / name)
