"""Holds the one session of all engines that take padded batches: they bring a forward pass, the rest is here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from backends.shared.answers import answers
from bench.errors import is_out_of_memory
from bench.text.batching import pack, pad
from bench.text.tokens import Encoded, TextTokenizer
from bench.types import EngineSpec, Prediction, SessionInfo, StageClock

# logits, or a tensor on a device that is still computing them: it is fetched when all batches are under way
Forward = Callable[[np.ndarray, np.ndarray], Any]


@dataclass(frozen=True)
class BatchLimits:
    """Tokens (padding counted) and rows of a batch; lengths are padded up to a multiple.

    `window` texts are tokenised and sorted together, all of them where it is None: a device computes one window while
    the next is tokenised. `equal_lengths`: only texts of one length come together, as padding would change the answers.
    """

    token_budget: int = 1024
    max_batch: int = 64
    length_multiple: int = 1
    window: int | None = None
    equal_lengths: bool = False

    @classmethod
    def of(cls, spec: EngineSpec, device: str) -> BatchLimits:
        """The limits among an engine's options, first those in the device's own table; the others are the defaults."""
        options = {**spec.options, **spec.options.get(device, {})}
        return cls(**{name: options[name] for name in cls.__dataclass_fields__ if name in options})

    @property
    def half(self) -> BatchLimits:
        return replace(self, token_budget=max(1, self.token_budget // 2), max_batch=max(1, self.max_batch // 2))


class BatchedSession:
    """Tokenise once, sort by length, pack to a token budget, pad, compute, softmax, back into the order of the texts.

    forward takes input_ids and attention_mask int64 (b, t) and returns logits float32 (b, k). Where the memory does not
    suffice, the batches are halved once, for the rest of the session, and SessionInfo.details says so.
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
        self._halved = False

    def predict(self, texts: Sequence[str]) -> Prediction:
        """From raw strings to labels; any number of texts."""
        try:
            return self._predict(texts)
        except Exception as error:
            if self._halved or not is_out_of_memory(error):
                raise
        self._halve()
        return self._predict(texts)

    def _predict(self, texts: Sequence[str]) -> Prediction:
        window = self._limits.window or max(len(texts), 1)
        lengths = np.empty(len(texts), dtype=np.int32)
        truncated = np.empty(len(texts), dtype=bool)
        under_way: list[tuple[np.ndarray, Any]] = []
        for start in range(0, len(texts), window):
            started = perf_counter()
            encoded = self._tokenizer.encode(texts[start : start + window])
            self.clock.tokenise_s += perf_counter() - started
            lengths[start : start + window] = encoded.lengths
            truncated[start : start + window] = encoded.truncated
            under_way += [(start + rows, logits) for rows, logits in self._submit(encoded)]
        logits = self._collect(under_way, len(texts))
        started = perf_counter()
        probabilities, labels = answers(logits)
        self.clock.post_s += perf_counter() - started
        return Prediction(probabilities, labels, token_counts=lengths, truncated=truncated)

    def _submit(self, encoded: Encoded) -> list[tuple[np.ndarray, Any]]:
        """The rows and the logits of every batch; of a device that may still be computing them."""
        lengths = encoded.lengths
        limits = self._limits
        batches = pack(lengths, limits.token_budget, limits.max_batch, equal_lengths=limits.equal_lengths)
        self.clock.real_tokens += int(lengths.sum())
        self.clock.batches += len(batches)
        return [(rows, self._compute(encoded.ids, rows)) for rows in batches]

    def _compute(self, ids: Sequence[Sequence[int]], rows: np.ndarray) -> Any:
        started = perf_counter()
        input_ids, attention_mask = pad(ids, rows, self._tokenizer.pad_id, self._limits.length_multiple)
        ready = perf_counter()
        logits = self._open_forward()(input_ids, attention_mask)
        self.clock.forward_s += perf_counter() - ready
        self.clock.queue_s += ready - started
        self.clock.padded_tokens += input_ids.size
        return logits

    def _collect(self, under_way: list[tuple[np.ndarray, Any]], texts: int) -> np.ndarray:
        started = perf_counter()
        logits = np.empty((texts, self._classes), dtype=np.float32)
        for rows, computed in under_way:
            logits[rows] = computed if isinstance(computed, np.ndarray) else computed.cpu().numpy()
        self.clock.forward_s += perf_counter() - started
        return logits

    def _open_forward(self) -> Any:
        if self._forward is None:
            raise RuntimeError("the session is closed")
        return self._forward

    def _halve(self) -> None:
        self._halved = True
        self._limits = self._limits.half
        details = {**self.info.details, **batching_details(self._limits), "halved": "out of memory"}
        self.info = replace(self.info, details=details)

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
        "window": limits.window,
        **({"equal_lengths": "padding would change the answers"} if limits.equal_lengths else {}),
    }
