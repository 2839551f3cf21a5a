"""A session that sleeps for as long as each text wants."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from bench.types import Prediction, SessionInfo, StageClock

TEXTS = [f"text number {n}" for n in range(100)]
OTHER_TEXTS = [f"other text {n}" for n in range(32)]


class SleepingSession:
    """Answers after a known time per text and remembers what it was asked."""

    def __init__(self, seconds_per_text: float, fail_at: int | None = None) -> None:
        self.clock = StageClock()
        self.info = SessionInfo(load_s=0.0)
        self.seconds_per_text = seconds_per_text
        self.fail_at = fail_at
        self.calls: list[Sequence[str]] = []

    def predict(self, texts: Sequence[str]) -> Prediction:
        self.calls.append(texts)
        if self.fail_at is not None and texts[0].startswith("text") and len(self.calls) > self.fail_at:
            raise ValueError("the engine broke")
        time.sleep(self.seconds_per_text * len(texts))
        n = len(texts)
        self.clock.forward_s += self.seconds_per_text * n
        self.clock.real_tokens += 3 * n
        self.clock.padded_tokens += 4 * n
        return Prediction(
            np.full((n, 2), 0.5, np.float32), np.zeros(n, int), np.full(n, 3, np.int32), np.zeros(n, bool)
        )

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        return None

    def recompiles(self) -> int | None:
        return len(self.calls)

    def close(self) -> None:
        pass
