"""What an engine can do before Poisson load is put on it: its rate in batches, its fastest answer, its batch budget."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.batcher import BatchBudget
from bench.load import warm_up
from bench.types import Session

DEFAULT_MAX_BATCH = 64
BATCH_SHARE_OF_LIMIT = 1 / 3  # a request waits for the batch that runs and one before its own
SAMPLE_S = 0.5
LONE_ROUND_S = 1.0
LONE_ROUNDS = 2


@dataclass(frozen=True)
class Capacity:
    """What the warm-up found: its seconds and rounds, texts/s in batches, tokens of a text, of a character, at most.

    The tokens are 0 for a session that has none.
    """

    warmup_s: float
    rounds: int
    rate_rps: float
    tokens_per_text: float
    tokens_per_character: float
    longest_tokens: int


def find_capacity(session: Session, texts: Sequence[str]) -> Capacity:
    """Warm up one text at a time and all at once, then in batches of powers of two until one takes half a second.

    Each batch has the texts' own lengths and is computed twice; the second time of the largest is the rate.
    """
    started = time.perf_counter()
    single = warm_up(session, "single", texts)
    offline = warm_up(session, "offline", texts)
    size, took_s, counts = 0, 0.0, np.zeros(1, np.int32)
    while took_s < SAMPLE_S and size < len(texts):
        size = min(max(1, 2 * size), len(texts))
        session.predict(texts[:size])
        began = time.perf_counter()
        counts = session.predict(texts[:size]).token_counts
        took_s = time.perf_counter() - began
    return Capacity(
        warmup_s=time.perf_counter() - started,
        rounds=single.rounds + offline.rounds,
        rate_rps=size / max(took_s, 1e-9),
        tokens_per_text=float(counts.mean()),
        tokens_per_character=float(counts.sum()) / max(1, sum(map(len, texts[:size]))),
        longest_tokens=int(counts.max()),
    )


def expected_tokens(capacity: Capacity, texts: Sequence[str]) -> np.ndarray:
    """Tokens of each text before anyone tokenised it, int64 (n,): by the tokens a character of other texts has."""
    expected = np.ceil(np.fromiter(map(len, texts), float, len(texts)) * capacity.tokens_per_character)
    return np.clip(expected, 1, max(1, capacity.longest_tokens)).astype(np.int64)


def lone_latency_ms(session: Session, texts: Sequence[str], percentile: float) -> float:
    """The percentile of requests that meet an idle engine, the better of two rounds: no Poisson rate can be below."""
    rounds = []
    for _ in range(LONE_ROUNDS):
        latencies_s: list[float] = []
        began = time.perf_counter()
        while time.perf_counter() - began < LONE_ROUND_S:
            started = time.perf_counter()
            session.predict((texts[len(latencies_s) % len(texts)],))
            latencies_s.append(time.perf_counter() - started)
        rounds.append(float(np.percentile(latencies_s, percentile, method="inverted_cdf")) * 1000)
    return min(rounds)


def batch_budget(session: Session, capacity: Capacity, limit_ms: float) -> BatchBudget:
    """The engine's own batch limits, but no batch that takes more than a third of the latency limit."""
    details = session.info.details
    texts = int(details.get("max_batch", details.get("batch_size", DEFAULT_MAX_BATCH)))
    tokens = [int(details["token_budget"])] if "token_budget" in details else []
    in_time = capacity.rate_rps * BATCH_SHARE_OF_LIMIT * limit_ms / 1000
    if capacity.tokens_per_text:
        tokens.append(max(1, int(in_time * capacity.tokens_per_text)))
    return BatchBudget(min(tokens, default=None), min(texts, max(1, int(in_time))))
