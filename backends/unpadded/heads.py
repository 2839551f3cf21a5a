"""Turns the states that a classifier reads into its logits, for every kind that unpadded serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from backends.unpadded.bert import UnpaddedEncoder
from backends.unpadded.decoder import UnpaddedDecoder
from backends.unpadded.ragged import Ragged
from bench.classifiers.lean_decoder import FAMILIES
from bench.errors import NotAvailable
from bench.types import Classifier

Head = Callable[[Tensor, Ragged], Tensor]


@dataclass(frozen=True)
class Unpadded:
    """A body over texts without padding, the token of each text that is read, and the head on its state.

    prefix_ids: what every text starts with, for options; kept as keys and values.
    """

    body: UnpaddedEncoder | UnpaddedDecoder
    read: Literal["first", "last"]
    head: Head
    prefix_ids: tuple[int, ...] = ()

    def logits(self, packed: Tensor, layout: Any) -> Tensor:
        """Logits float32 (b, k) of a batch that backends/unpadded/ragged.py laid out."""
        batch = Ragged.of(packed, layout)
        logits: Tensor = self.head(self.body(batch), batch).float()
        return logits


def unpad(module: Any, classifier: Classifier) -> Unpadded:
    """The same classifier over texts without padding; raises NotAvailable for what it would answer differently."""
    if classifier.kind == "options":
        return _options(module)
    if classifier.kind == "embedding":
        return _embedding(module, classifier.manifest.settings["pooling"])
    if module.pools_last:
        score = module.model.score
        return Unpadded(UnpaddedDecoder(module.body), "last", lambda states, _: score(states))
    return _encoder(module.model)


def _encoder(model: Any) -> Unpadded:
    """A pooler and a linear layer, or a head that takes the first token of every text by itself."""
    encoder = getattr(model, model.base_model_prefix)
    pooler, classifier = getattr(encoder, "pooler", None), model.classifier

    def head(states: Tensor, _: Ragged) -> Tensor:
        first = states.unsqueeze(1)
        logits: Tensor = classifier(first if pooler is None else pooler(first))
        return logits

    return Unpadded(UnpaddedEncoder(encoder, readers_only=True), "first", head)


def _embedding(module: Any, pooling: str) -> Unpadded:
    sentences, classifier = module.sentence_encoder, module.head
    encoder = sentences.encoder

    def head(states: Tensor, batch: Ragged) -> Tensor:
        vectors = _means(states, batch) if pooling == "mean" else states.float()
        vectors = nn.functional.normalize(vectors, dim=-1) if sentences.normalise else vectors
        logits: Tensor = classifier(vectors)
        return logits

    if pooling == "last" and encoder.config.model_type in FAMILIES:
        return Unpadded(UnpaddedDecoder(encoder), "last", head)
    read: Literal["first", "last"] = "last" if pooling == "last" else "first"
    return Unpadded(UnpaddedEncoder(encoder, readers_only=pooling != "mean"), read, head)


def _means(states: Tensor, batch: Ragged) -> Tensor:
    """Mean of each text's states, float32: (t, d) -> (b, d)."""
    lengths = batch.starts.diff()
    texts = torch.repeat_interleave(lengths, output_size=batch.layout.tokens)
    sums = states.new_zeros(len(lengths), states.shape[-1], dtype=torch.float32)
    return sums.index_add_(0, texts, states.float()) / lengths.unsqueeze(1)


def _options(module: Any) -> Unpadded:
    if module.branches:
        raise NotAvailable("unpadded scores answers of one token each; this classifier has longer ones")
    output = module.model.get_output_embeddings()
    first_ids = module.first_ids
    offset, divisor = (torch.tensor(part, device=first_ids.device) for part in (module.offset, module.divisor))

    def head(states: Tensor, _: Ragged) -> Tensor:
        scores = output(states).float()
        likelihoods = scores.index_select(1, first_ids) - scores.logsumexp(dim=-1, keepdim=True)
        return (likelihoods - offset) / divisor

    return Unpadded(UnpaddedDecoder(module.body), "last", head, module.prefix_ids)
