"""Makes a very small base model on disk, as a user would have one, and repairs a word of its tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

from bench.types import Progress

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "news", "sport")


def plant_model(folder: Path, progress: Progress) -> None:
    """A BERT of width 8 with random weights and a tokenizer of a few words; runs in a process that may load torch."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel

    progress("planting a model", 0, 1)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=32,
        pad_token_id=0,
    )
    BertModel(config).save_pretrained(folder)
    vocabulary = {word: at for at, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106 - no password
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def repair_tokenizer(folder: Path) -> None:
    """Two words change their numbers; the weights stay."""
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    words = content["model"]["vocab"]
    words["good"], words["bad"] = words["bad"], words["good"]
    path.write_text(json.dumps(content), encoding="utf-8")
