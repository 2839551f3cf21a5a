"""Reads off an architecture how many tokens it can read and how many rows its vocabulary has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.errors import AssetError

TABLES = ("position_embeddings", "embed_positions", "wpe", "pos_embed", "positions_embed")
STATED = ("max_position_embeddings", "max_seq_len")  # the second is MPT's, whose table of biases ends there
UNSTATED = 512  # tokens of a model that states no length
UNLIMITED = 1_000_000  # what stands for "no limit" in tokenizer_config.json is larger by far


def skeleton(config: Any) -> Any:
    """The architecture without weights; None where transformers makes no model of the config alone."""
    import torch
    from transformers import AutoModel, AutoModelForCausalLM

    for auto_class in (AutoModel, AutoModelForCausalLM):
        try:
            with torch.device("meta"):
                return auto_class.from_config(config)
        except (ValueError, TypeError, AttributeError, KeyError, RuntimeError, ImportError):
            continue
    return None


def usable_positions(config: Any, model: Any) -> int | None:
    """Tokens that fit into the table of positions; where there is none, what the config says the model was made for.

    RoBERTa and its kin count positions from the padding id on, so that many rows at the start are no token's; OPT,
    Nystromformer and their kin keep a few rows in front.
    """
    limits = []
    for name, table in model.named_modules() if model is not None else ():
        weight = getattr(table, "weight", None)  # an embedding, or a family's own class for one (I-BERT)
        if name.rpartition(".")[2] in TABLES and weight is not None and weight.ndim == 2:
            padding = getattr(table, "padding_idx", None)
            limits.append(len(weight) - (padding + 1 if padding is not None else getattr(table, "offset", 0)))
    text = config.get_text_config()
    limits += [stated for name in STATED if isinstance(stated := getattr(text, name, None), int) and stated > 0]
    return min(limits) if limits else None


def positions_of(folder: Path) -> int | None:
    """The same of a model's folder; None where its architecture cannot be built of its config."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError):
        return None
    return usable_positions(config, skeleton(config))


def stated_positions(folder: Path) -> int:
    """What config.json says of the length, read without any library; rows of a table that are no token's left out."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return UNSTATED
    stated = next((config[name] for name in ("max_position_embeddings", "n_positions") if config.get(name)), UNSTATED)
    return int(stated) - (2 if "roberta" in str(config.get("model_type")) else 0)


def tokenizer_limit(folder: Path) -> int | None:
    """`model_max_length` of the tokenizer; None where it sets none."""
    from transformers.models.auto.tokenization_auto import get_tokenizer_config

    found = get_tokenizer_config(folder, local_files_only=True).get("model_max_length")
    return int(found) if isinstance(found, int | float) and 0 < found < UNLIMITED else None


def check_vocabulary(folder: Path, model: Any, named: str) -> None:
    """Raise AssetError where the tokenizer writes ids that the embedding has no row for, or cannot be read."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises bare Exception
        raise AssetError(f"{named}/tokenizer.json cannot be read: {error}") from error
    largest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    try:
        rows = model.get_input_embeddings().num_embeddings
    except (AttributeError, NotImplementedError):
        return
    if largest >= rows:
        raise AssetError(
            f"{named}: its tokenizer has {largest + 1:,} tokens, its embedding only {rows:,} rows; "
            "the two are of different models"
        )
