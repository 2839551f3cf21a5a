"""Pretrained models from local folders, read the one safe way."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from bench.files.cache import link_or_copy

MODEL_FILES = ("config.json", "tokenizer.json")
OPTIONAL_FILES = ("generation_config.json", "tokenizer_config.json", "chat_template.jinja")


def load_pretrained(auto_class: Any, folder: Path, **options: Any) -> Any:
    """A transformers model from a local folder: float32, safetensors, no code from the folder.

    Attention is transformers' own choice for the architecture: sdpa where it has one.
    """
    from transformers.utils import logging

    logging.disable_progress_bar()  # the harness has its own
    logging.set_verbosity_error()  # a new head's missing weights are meant
    return auto_class.from_pretrained(
        folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False, **options
    )


def link_model(source: Path, target: Path, names: Iterable[str] | None = None) -> None:
    """Put a model's files into a classifier folder: all of them, weights in one file or in shards, or those named."""
    if names is None:
        weights = sorted(path.name for path in source.glob("model*.safetensors*"))
        optional = [name for name in OPTIONAL_FILES if (source / name).exists()]
        names = (*MODEL_FILES, *weights, *optional)
    for name in names:
        link_or_copy(source / name, target / name)
