"""Whole classifier folders with tiny random weights, one for each kind and layout that engines have to serve."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tiny_models import CLASS_NAMES, TINY, TOPICS, WORDS, save_tokenizer, tiny_bert, tiny_gpt2, tiny_llama, tiny_qwen3
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from bench.classifiers.bags import BagOfVectors
from bench.classifiers.folder import save_classifier
from bench.classifiers.linear import make_vectoriser, save_linear
from bench.classifiers.networks import TextCnn
from bench.types import Classifier, FitRecord, Manifest, Recipe

MAX_LENGTH = 24


def tiny_texts(count: int, seed: int = 0) -> list[str]:
    """Texts of 1 to 40 known words; the longest are over MAX_LENGTH."""
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, generator.integers(1, 41))) for _ in range(count)]


def finish(folder: Path, kind: Any, max_length: int | None = MAX_LENGTH, **settings: Any) -> Classifier:
    recipe = Recipe(id="tiny", title="tiny", method="none")
    manifest = Manifest(
        kind=kind,
        class_names=CLASS_NAMES,
        language="en",
        max_length=max_length,
        recipe=recipe,
        seed=0,
        data_fingerprint="none",
        fit=FitRecord(fit_s=0.0),
        settings=settings,
    )
    return save_classifier(folder, manifest)


def _sequence(folder: Path, make_base: Callable[[Path], Any]) -> Classifier:
    base = make_base(folder)
    torch.manual_seed(1)
    AutoModelForSequenceClassification.from_pretrained(base.path, num_labels=3).save_pretrained(folder)
    return finish(folder, "sequence")


def sequence_bert(folder: Path) -> Classifier:
    return _sequence(folder, tiny_bert)


def sequence_gpt2(folder: Path) -> Classifier:
    return _sequence(folder, tiny_gpt2)


def sequence_llama(folder: Path) -> Classifier:
    """A decoder under a linear head: pooled at the last real token."""
    return _sequence(folder, tiny_llama)


def sequence_qwen3(folder: Path) -> Classifier:
    return _sequence(folder, tiny_qwen3)


def sequence_roberta(folder: Path) -> Classifier:
    """Position ids count from the padding id, and the head reads the first token by itself."""
    torch.manual_seed(0)
    config = RobertaConfig(**(TINY | {"max_position_embeddings": 66}), pad_token_id=0, num_labels=3)
    RobertaForSequenceClassification(config).save_pretrained(folder)
    save_tokenizer(folder)
    return finish(folder, "sequence")


def sequence_relu(folder: Path) -> Classifier:
    """A BERT that is no BERT to a packed engine: another activation."""
    config = BertConfig(
        vocab_size=80, hidden_size=32, num_hidden_layers=1, num_attention_heads=4, intermediate_size=64, num_labels=3
    )
    config.hidden_act = "relu"
    BertForSequenceClassification(config).save_pretrained(folder)
    save_tokenizer(folder)
    return finish(folder, "sequence")


def _embedding(folder: Path, pooling: str) -> Classifier:
    tiny_bert(folder)
    torch.manual_seed(2)
    save_file({"0.weight": torch.randn(3, 32), "0.bias": torch.randn(3)}, folder / "head.safetensors")
    return finish(folder, "embedding", pooling=pooling, normalise=True)


def embedding_mean(folder: Path) -> Classifier:
    return _embedding(folder, "mean")


def embedding_cls(folder: Path) -> Classifier:
    return _embedding(folder, "cls")


def network(folder: Path) -> Classifier:
    torch.manual_seed(3)
    shape: dict[str, Any] = {"vocabulary_size": 80, "width": 16, "filters": 8, "windows": [3, 4], "dropout": 0.5}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(TextCnn(classes=3, **shape).state_dict(), folder / "network.safetensors")
    save_tokenizer(folder)
    return finish(folder, "network", architecture="cnn", network=shape)


def network_bag(folder: Path) -> Classifier:
    """Means of token vectors, with those of hashed pairs."""
    torch.manual_seed(3)
    shape: dict[str, Any] = {"vocabulary_size": 80, "width": 16, "ngrams": 2, "buckets": 50, "normalise": True}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(BagOfVectors(classes=3, **shape).state_dict(), folder / "network.safetensors")
    save_tokenizer(folder)
    return finish(folder, "network", architecture="bag", network=shape)


def matching_pairs(folder: Path) -> Classifier:
    """A cross-encoder of three outputs beside sentences of different lengths; segments differ."""
    config = BertConfig(**TINY, pad_token_id=0, num_labels=3)
    torch.manual_seed(5)
    BertForSequenceClassification(config).save_pretrained(folder)
    save_tokenizer(folder)
    frames = [
        {
            "before": [2],
            "after": [3, *ids, 3],
            "before_types": [0],
            "after_types": [0, *[1] * len(ids), 1],
            "text_type": 0,
        }
        for ids in ([20], [21, 22], [21, 23, 24])
    ]
    return finish(folder, "matching", reads="pairs", frames=frames, lead=1, trail=1, column=1)


def options_llama(folder: Path) -> Classifier:
    tiny_llama(folder)
    words = [[20], [21, 22], [21, 23, 24]]
    return finish(
        folder, "options", label_token_ids=words, normalisation="sum", before="topic about ", after=" topic :"
    )


def options_qwen3(folder: Path) -> Classifier:
    """Answers of one token, and a prompt prefix long enough to be kept."""
    tiny_qwen3(folder)
    return finish(
        folder,
        "options",
        label_token_ids=[[20], [21], [22]],
        normalisation="calibrated",
        content_free=[-3.0, -4.0, -5.0],
        before="topic about topic about topic about topic about ",
        after=" topic :",
        prefix_ids=[52, 54] * 4,
    )


def linear(folder: Path) -> Classifier:
    vectoriser = make_vectoriser("word", 1)
    vectoriser.fit([" ".join(WORDS), *(" ".join(topic) for topic in TOPICS)])
    generator = np.random.default_rng(4)
    features = len(vectoriser.vocabulary_)
    folder.mkdir(parents=True, exist_ok=True)
    save_linear(folder, vectoriser, generator.normal(size=(3, features)), generator.normal(size=3))
    return finish(folder, "linear", None, analyser="word", longest_ngram=1)


CLASSIFIERS: dict[str, Callable[[Path], Classifier]] = {
    "sequence-bert": sequence_bert,
    "sequence-roberta": sequence_roberta,
    "sequence-gpt2": sequence_gpt2,
    "embedding-mean": embedding_mean,
    "embedding-cls": embedding_cls,
    "network": network,
    "network-bag": network_bag,
    "matching-pairs": matching_pairs,
    "sequence-llama": sequence_llama,
    "sequence-qwen3": sequence_qwen3,
    "options-llama": options_llama,
    "options-qwen3": options_qwen3,
    "linear": linear,
}
