"""The one session of all engines that take padded batches: they bring a forward pass, everything around it is here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from backends.softmax import answers
from bench.batching import pack, pad
from bench.tokens import TextTokenizer
from bench.types import EngineSpec, Prediction, SessionInfo, StageClock

Forward = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class BatchLimits:
    """Tokens (padding counted) and rows of a batch; lengths are padded up to a multiple."""

    token_budget: int = 1024
    max_batch: int = 64
    length_multiple: int = 1

    @classmethod
    def of(cls, spec: EngineSpec) -> BatchLimits:
        """The limits among an engine's options; what it does not give is the default."""
        return cls(**{name: spec.options[name] for name in cls.__dataclass_fields__ if name in spec.options})


class BatchedSession:
    """Tokenise once, sort by length, pack to a token budget, pad, compute, softmax, back into the order of the texts.

    forward takes input_ids and attention_mask int64 (b, t) and returns logits float32 (b, k).
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        forward: Forward,
        limits: BatchLimits,
        info: SessionInfo,
        classes: int,
        recompiles: Callable[[], int] | None = None,
    ) -> None:
        self.clock = StageClock()
        self.info = info
        self._tokenizer = tokenizer
        self._forward: Forward | None = forward
        self._limits = limits
        self._classes = classes
        self._recompiles = recompiles

    def predict(self, texts: Sequence[str]) -> Prediction:
        """From raw strings to labels; any number of texts."""
        clock, started = self.clock, perf_counter()
        encoded = self._tokenizer.encode(texts)
        tokenised = perf_counter()
        clock.tokenise_s += tokenised - started
        lengths = encoded.lengths
        logits = np.empty((len(texts), self._classes), dtype=np.float32)
        batches = pack(lengths, self._limits.token_budget, self._limits.max_batch)
        for rows in batches:
            self._compute(encoded.ids, rows, logits)
        clock.real_tokens += int(lengths.sum())
        clock.batches += len(batches)
        computed = perf_counter()
        probabilities, labels = answers(logits)
        clock.post_s += perf_counter() - computed
        return Prediction(probabilities, labels, token_counts=lengths, truncated=encoded.truncated)

    def _compute(self, ids: Sequence[Sequence[int]], rows: np.ndarray, logits: np.ndarray) -> None:
        if self._forward is None:
            raise RuntimeError("the session is closed")
        started = perf_counter()
        input_ids, attention_mask = pad(ids, rows, self._tokenizer.pad_id, self._limits.length_multiple)
        ready = perf_counter()
        logits[rows] = self._forward(input_ids, attention_mask)
        self.clock.forward_s += perf_counter() - ready
        self.clock.queue_s += ready - started
        self.clock.padded_tokens += input_ids.size

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        """Hash of the token ids the model reads for these texts."""
        return self._tokenizer.encode(texts).sha256

    def recompiles(self) -> int | None:
        """Compilations so far; None for engines that never compile."""
        return None if self._recompiles is None else self._recompiles()

    def close(self) -> None:
        """Let go of the model."""
        self._forward = None


def batching_details(limits: BatchLimits) -> dict[str, Any]:
    """What SessionInfo.details says about batches."""
    return {
        "token_budget": limits.token_budget,
        "max_batch": limits.max_batch,
        "length_multiple": limits.length_multiple,
    }
