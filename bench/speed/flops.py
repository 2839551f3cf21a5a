"""Counts the floating-point operations of a classifier's forward pass, by its architecture on real token counts.

A multiplication with a weight counts 2 operations (multiply, add) a token: 2 * weights * tokens. Attention multiplies
queries with keys and weights with values: 4 * tokens^2 * heads * head width a layer where every token sees every other,
and half of it (2 * t * (t + 1) * ...) where a token sees only what came before. (Kaplan et al. 2020, Scaling Laws for
Neural Language Models, section 2.1; Chowdhery et al. 2022, PaLM, appendix B.) DeBERTa's disentangled attention adds
2 * tokens * 2 span * width for each of its position terms. Embedding look-ups, normalisation, softmax and activations
are left out, as is DeBERTa's projection of the positions, which is the same for every text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.text.tokens import load_tokenizer
from bench.types import Classifier

ENCODERS = frozenset({"bert", "roberta", "xlm-roberta", "electra", "distilbert", "deberta-v2"})
DECODERS = frozenset({"llama", "mistral", "qwen2", "qwen3"})
SHORTEST_KEPT_PREFIX = 8  # bench/classifiers/option_scoring.py computes a shorter shared prefix with every text


@dataclass(frozen=True)
class Architecture:
    """What a pass computes: weights used for every token, weights used once a text, attention width over all layers.

    extra_tokens follow every text (the branches of option scoring), kept_tokens at its start are not computed again;
    position_width is DeBERTa's, in numbers a token is multiplied with.
    """

    per_token: int
    per_text: int
    attention: int
    causal: bool
    position_width: int = 0
    extra_tokens: int = 0
    kept_tokens: int = 0
    head_weights: int = 0

    @property
    def weights(self) -> int:
        """Weights that a pass reads, each once."""
        return self.per_token + self.head_weights

    def flops(self, tokens: np.ndarray) -> np.ndarray:
        """Operations of texts of so many tokens, special tokens included, float64 (n,)."""
        first = np.minimum(float(self.kept_tokens), tokens)
        last = tokens.astype(np.float64) + self.extra_tokens
        seen = 2 * (last * (last + 1) - first * (first + 1)) if self.causal else 4 * last**2
        computed = last - first
        return 2 * (self.per_token + self.position_width) * computed + self.attention * seen + 2 * self.per_text


def flops_per_text(
    classifier: Classifier, texts: tuple[str, ...], tokens: np.ndarray | None = None
) -> tuple[float, Architecture] | None:
    """Mean operations over the texts as the classifier's tokenizer cuts them; None where they are not counted.

    `tokens` (n,) are the texts' numbers of tokens where somebody has counted them: reading a tokenizer of 250,000
    pieces takes a second. Not counted: bags of words, networks from scratch, written answers, adapters beside their
    base, other architectures.
    """
    config_file = classifier.path / "config.json"
    if classifier.kind not in ("sequence", "embedding", "options") or "adapter" in classifier.manifest.settings:
        return None
    if not config_file.is_file():
        return None
    config = json.loads(config_file.read_text(encoding="utf-8"))
    architecture = read_architecture(config, classifier.kind, len(classifier.class_names), classifier.manifest.settings)
    if architecture is None:
        return None
    if tokens is None:
        tokens = load_tokenizer(classifier).encode(texts).lengths
    return float(architecture.flops(tokens).mean()), architecture


def read_architecture(
    config: Mapping[str, Any], kind: str, classes: int, settings: Mapping[str, Any]
) -> Architecture | None:
    """From a transformers config.json; None for a family whose layers are not known here."""
    family = config.get("model_type")
    if family in ENCODERS:
        return _encoder(config, kind, classes)
    return _decoder(config, kind, classes, settings) if family in DECODERS else None


def _encoder(config: Mapping[str, Any], kind: str, classes: int) -> Architecture:
    width = config.get("hidden_size") or config["dim"]
    inner = config.get("intermediate_size") or config["hidden_dim"]
    layers = config.get("num_hidden_layers") or config["n_layers"]
    head = width * classes + (width * width if kind == "sequence" else 0)
    return Architecture(
        per_token=layers * (4 * width * width + 2 * width * inner),
        per_text=head,
        attention=layers * width,
        causal=False,
        position_width=layers * width * _position_terms(config),
        head_weights=head,
    )


def _position_terms(config: Mapping[str, Any]) -> int:
    """Relative positions that DeBERTa multiplies each query and each key with."""
    if config["model_type"] != "deberta-v2" or not config.get("relative_attention"):
        return 0
    kinds = config.get("pos_att_type") or ()
    kinds = kinds.split("|") if isinstance(kinds, str) else kinds
    span = config.get("position_buckets", -1)
    if span <= 0:
        span = config.get("max_relative_positions", -1)
    return len(kinds) * 2 * (span if span > 0 else config["max_position_embeddings"])


def _decoder(config: Mapping[str, Any], kind: str, classes: int, settings: Mapping[str, Any]) -> Architecture:
    width, heads, layers = config["hidden_size"], config["num_attention_heads"], config["num_hidden_layers"]
    head_width = config.get("head_dim") or width // heads
    queries, keys = heads * head_width, (config.get("num_key_value_heads") or heads) * head_width
    per_token = layers * (2 * width * queries + 2 * width * keys + 3 * width * config["intermediate_size"])
    if kind != "options":
        head = width * classes
        return Architecture(per_token, head, layers * queries, causal=True, head_weights=head)
    branches = sum(len(word) - 1 for word in settings["label_token_ids"])
    prefix = len(settings.get("prefix_ids", ()))
    vocabulary = width * config["vocab_size"]
    return Architecture(
        per_token,
        per_text=vocabulary * (1 + branches),
        attention=layers * queries,
        causal=True,
        extra_tokens=branches,
        kept_tokens=prefix if prefix >= SHORTEST_KEPT_PREFIX else 0,
        head_weights=vocabulary,
    )
