"""Runs single texts through recorded CUDA graphs: one launch a text in place of hundreds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backends.unpadded.ragged import Layout, lay_out

STEP = 16  # tokens; a text is filled up to the next multiple, and with powers of two among them each has one layout
WARM_UPS = 3
LONGEST = 512

Compute = Callable[[Tensor, Layout], Tensor]


class Graphs:
    """One graph for every multiple of 16 tokens, recorded at loading; replayed for a batch of one text."""

    def __init__(self, compute: Compute, device: torch.device, longest: int, known: int) -> None:
        self._compute = compute
        self._device = device
        self._recorded: dict[Layout, tuple[Tensor, Tensor, Callable[[], Any]]] = {}
        self._pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None
        # the largest first: the others find its memory in the pool
        for fill in range(self.filled(min(longest, LONGEST) - known), 0, -STEP):
            for start in {0, known}:
                self._record([[0] * (start + fill)], start, fill)

    @staticmethod
    def filled(tokens: int) -> int:
        """Tokens of a batch that a text of so many is filled up to; 0 for one that is not recorded."""
        return -(-tokens // STEP) * STEP if 0 < tokens <= LONGEST else 0

    def __len__(self) -> int:
        return len(self._recorded)

    def replay(self, packed: Tensor, layout: Layout) -> Tensor | None:
        """Logits of the batch; None where this layout was not recorded."""
        recorded = self._recorded.get(layout)
        if recorded is None:
            return None
        inputs, logits, replay = recorded
        inputs.copy_(packed, non_blocking=True)
        replay()
        return logits.clone()  # the next replay writes over it

    def _record(self, ids: list[list[int]], known: int, fill: int) -> None:
        array, layout = lay_out(ids, np.zeros(1, dtype=np.int64), "last", known, fill)
        inputs = torch.from_numpy(array).to(self._device)
        if self._device.type != "cuda":
            logits = self._compute(inputs, layout)
            self._recorded[layout] = (inputs, logits, lambda: logits.copy_(self._compute(inputs, layout)))
            return
        beside = torch.cuda.Stream()
        beside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(beside):
            for _ in range(WARM_UPS):
                self._compute(inputs, layout)
        torch.cuda.current_stream().wait_stream(beside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            logits = self._compute(inputs, layout)
        self._recorded[layout] = (inputs, logits, graph.replay)
