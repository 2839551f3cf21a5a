"""Measures what an engine can do before Poisson load: its rate in batches, its fastest answer, its batch budget."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.speed.batcher import BatchBudget
from bench.speed.warmup import warm_up
from bench.types import Session

DEFAULT_MAX_BATCH = 64
BATCH_SHARE_OF_LIMIT = 1 / 3  # a request waits for the batch that runs and one before its own
SAMPLE_S = 0.5
LONE_ROUND_S = 1.0
LONE_ROUNDS = 2
_WIDE = r"\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff"  # Chinese, Japanese, Korean: each character about a word
_WORD = re.compile(rf"[{_WIDE}]|[^\W{_WIDE}]+|[^\w\s]")


@dataclass(frozen=True)
class Capacity:
    """What the warm-up found: its seconds and rounds, texts/s in batches, tokens of a text, of a word, at most.

    The tokens are 0 for a session that has none.
    """

    warmup_s: float
    rounds: int
    rate_rps: float
    tokens_per_text: float
    tokens_per_word: float
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
        tokens_per_word=float(counts.sum()) / max(1, sum(map(count_words, texts[:size]))),
        longest_tokens=int(counts.max()),
    )


def expected_tokens(capacity: Capacity, texts: Sequence[str]) -> np.ndarray:
    """Tokens of each text before anyone tokenised it, int64 (n,): by the tokens a word of other texts has.

    On AG News these guesses go with MiniLM's tokens at r = 0.99, guesses by characters at 0.90.
    """
    words = np.fromiter(map(count_words, texts), float, len(texts))
    expected = np.ceil(words * capacity.tokens_per_word)
    return np.clip(expected, 1, max(1, capacity.longest_tokens)).astype(np.int64)


def count_words(text: str) -> int:
    """Words and punctuation marks."""
    return len(_WORD.findall(text))


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
    """The engine's own number of texts, but no batch that takes more than a third of the latency limit.

    The engine packs what it is given to its own token budget, rows of like length together.
    """
    details = session.info.details
    most = int(details.get("max_batch", details.get("batch_size", DEFAULT_MAX_BATCH)))
    in_time = capacity.rate_rps * BATCH_SHARE_OF_LIMIT * limit_ms / 1000
    texts = min(most, max(1, int(in_time)))
    if not capacity.tokens_per_text:
        return BatchBudget(None, texts)
    return BatchBudget(min(max(1, int(in_time * capacity.tokens_per_text)), texts * capacity.longest_tokens), texts)
