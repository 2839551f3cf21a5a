"""Builds classifiers of random weights from tiny architectures."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_models import no_progress, save_tokenizer, toy_dataset

from bench import registry
from bench.types import BaseWeights, Classifier, Recipe, Workplace

TINY_QWEN = {
    "model_type": "qwen3",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 80,
}


def tiny_architecture(folder: Path, **changes: object) -> BaseWeights:
    folder.mkdir(parents=True)
    save_tokenizer(folder)
    (folder / "config.json").write_text(json.dumps(TINY_QWEN | changes))
    return BaseWeights("tiny", folder, "none", "random weights", pooling="last", note="its own tokenizer")


def build(tmp_path: Path, head: str, base: BaseWeights) -> Classifier:
    recipe = Recipe(
        id="random-tiny",
        title="tiny",
        method="random-weights",
        base_model="tiny",
        weights="random",
        params={"head": head},
    )
    place = Workplace("cpu", 1, tmp_path / "cache")
    trainer = registry.find("trainer", "random-weights")(recipe, base, place)
    return trainer.fit(toy_dataset(), 0, tmp_path / "classifier", no_progress)
