"""Serves batches of texts without padding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from backends.shared.batched import BatchedSession
from backends.shared.torch_session import load_torch_session, on_device
from backends.torch_compile import compilations, use_cache
from backends.unpadded.graphs import Graphs
from backends.unpadded.heads import Unpadded, unpad
from backends.unpadded.ragged import Layout, Ragged, lay_out
from bench.types import Classifier, EngineSpec

# texts of a batch: the compiler makes one graph for a single text and one for more
WARM_UP_TEXTS = (3, 1)
WARM_UP_TOKENS = 20


class Forward:
    """A laid out batch in, logits out: computed on the device, or replayed there."""

    def __init__(self, unpadded: Unpadded, device: torch.device, longest: int, compiled: bool) -> None:
        self.unpadded = unpadded
        self.device = device
        self.graphs: Graphs | None = None
        self.known = 0
        if compiled:
            for layer in unpadded.body.layers:
                layer.compile(dynamic=True)
        if unpadded.prefix_ids:
            self._keep_prefix(unpadded.prefix_ids)
        if compiled:
            for texts in WARM_UP_TEXTS:
                self._compute_some(texts)
            self.graphs = Graphs(unpadded.logits, device, longest, self.known)

    def __call__(self, array: np.ndarray, layout: Layout) -> np.ndarray | torch.Tensor:
        """Logits float32 (b, k); those of a text that only fills up the batch are cut off by the caller."""
        with torch.inference_mode():
            packed = on_device(array, self.device)
            logits = self.graphs.replay(packed, layout) if self.graphs else None
            if logits is None:
                logits = self.unpadded.logits(packed, layout)
            return logits.numpy() if self.device.type == "cpu" else logits

    def _keep_prefix(self, ids: tuple[int, ...]) -> None:
        array, layout = lay_out([ids], np.zeros(1, dtype=np.int64), "last")
        self.unpadded.body.keep_prefix(Ragged.of(on_device(array, self.device), layout))  # type: ignore[operator]
        self.known = len(ids)

    def _compute_some(self, texts: int) -> None:
        """Compile for so many texts, of different lengths so that no two numbers are taken for one."""
        for known in {0, self.known}:
            ids = [[0] * (known + WARM_UP_TOKENS + number) for number in range(texts)]
            array, layout = lay_out(ids, np.arange(texts), self.unpadded.read, known)
            self.unpadded.logits(on_device(array, self.device), layout)


class UnpaddedSession(BatchedSession):
    """A batched session whose batches are laid out without padding."""

    def _compute(self, ids: Sequence[Sequence[int]], rows: np.ndarray) -> Any:
        forward: Forward = self._open_forward()
        started = perf_counter()
        known = self._known(forward, ids, rows)
        tokens = sum(len(ids[row]) for row in rows) - known * len(rows)
        fill = forward.graphs.filled(tokens) if forward.graphs and len(rows) == 1 else 0
        array, layout = lay_out(ids, rows, forward.unpadded.read, known, fill, self._tokenizer.pad_id)
        ready = perf_counter()
        logits = forward(array, layout)[: len(rows)]
        self.clock.forward_s += perf_counter() - ready
        self.clock.queue_s += ready - started
        self.clock.padded_tokens += max(tokens, fill) + known * len(rows)
        return logits

    @staticmethod
    def _known(forward: Forward, ids: Sequence[Sequence[int]], rows: np.ndarray) -> int:
        """Tokens of the kept prefix where every row is the prefix and something more, else 0."""
        prefix, known = forward.unpadded.prefix_ids, forward.known
        if all(len(ids[row]) > known and tuple(ids[row][:known]) == prefix for row in rows):
            return known
        return 0


def load_unpadded(classifier: Classifier, spec: EngineSpec, device: str, threads: int, cache: Path) -> UnpaddedSession:
    """Load the module as every torch engine does, and exchange its body."""
    compiled = bool(spec.options.get("compile"))
    if compiled:
        use_cache(cache)
    longest = classifier.manifest.max_length or 0
    return load_torch_session(
        classifier,
        spec,
        device,
        threads,
        lambda module: Forward(unpad(module, classifier), torch.device(device), longest, compiled),
        details={"attention": "varlen_attn" if device == "cuda" else "text by text", "compiled": compiled},
        recompiles=compilations if compiled else None,
        forward_of=lambda forward, _: forward,
        session_type=UnpaddedSession,
    )
