"""Answers texts untimed: until an engine is warm, and twice over to find one that remembers them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from bench.text.tokens import settle_caches
from bench.types import Scenario, Session

STEADY = 0.1
MIN_WARMUP_ROUNDS = 2
MAX_WARMUP_ROUNDS = 5
WARMUP_ROUND_S = 0.3
WARMUP_FIRST_TEXTS = 4
WARMUP_SINGLE_TEXTS = 64

REPEATED_TEXTS = 32
FEWEST_REPEATED = 5
REPEATS_LIMIT_S = 0.4


@dataclass(frozen=True)
class WarmUp:
    """How the warm-up went: seconds, rounds, and the steady rate in texts/s."""

    warmup_s: float
    rounds: int
    rate_rps: float


def warm_up(session: Session, scenario: Scenario, texts: Sequence[str]) -> WarmUp:
    """Predict other texts, as the scenario will, until two rounds in a row differ by less than 10 %.

    The first round has the shortest and the longest text; those after it are about 0.3 s long and have lengths as the
    texts have them, because the rate is taken from the last. A machine too noisy to settle is given up on after 5.
    Tokenizers keep the words of these texts and no others: the timed texts may have been answered before.
    """
    most = WARMUP_SINGLE_TEXTS if scenario == "single" else len(texts)
    count = min(WARMUP_FIRST_TEXTS, most)
    started = time.perf_counter()
    settle_caches(texts)
    rate = before = 0.0
    rounds = 0
    while rounds < MAX_WARMUP_ROUNDS and (rounds < MIN_WARMUP_ROUNDS or abs(rate - before) > STEADY * rate):
        before = rate
        chosen = _spread(texts, count, with_ends=rounds == 0)
        round_started = time.perf_counter()
        for batch in [[text] for text in chosen] if scenario == "single" else [chosen]:
            session.predict(batch)
        rate = len(chosen) / max(time.perf_counter() - round_started, 1e-9)
        count = int(np.clip(rate * WARMUP_ROUND_S, WARMUP_FIRST_TEXTS, most))
        rounds += 1
    return WarmUp(time.perf_counter() - started, rounds, rate)


def repeat_speedup(session: Session, texts: Sequence[str]) -> tuple[float, float]:
    """How many times faster a text is answered the second time: near 1, unless answers come from a cache.

    What MLPerf's compliance test TEST04 looks for. The texts are new to the session: each is the first half of one of
    `texts` and the second half of another. Its halves are answered the other way round before: a session that has met
    the words and the length, in the processor's caches or in compiled kernels, has not met the text. Median over 32
    texts, over fewer (at least 5) where they take over 0.4 s; and the low end of that median's 97 % interval or wider,
    by the sign test, which a disturbed machine does not move.
    """
    ratios: list[float] = []
    started = time.perf_counter()
    pairs = zip(texts, reversed(texts), strict=True)
    new = dict.fromkeys((one[: len(one) // 2], other[len(other) // 2 :]) for one, other in pairs)
    for number, (head, tail) in enumerate(islice(new, REPEATED_TEXTS)):
        if number >= FEWEST_REPEATED and time.perf_counter() - started > REPEATS_LIMIT_S:
            break
        session.predict((f"{tail} {head}",))
        first_s, second_s = (_predict_s(session, (f"{head} {tail}",)) for _ in range(2))
        ratios.append(first_s / max(second_s, 1e-9))
    below = max(0, int(len(ratios) / 2 - np.sqrt(len(ratios)) * 1.3))
    return float(np.median(ratios)), sorted(ratios)[below]


def _predict_s(session: Session, texts: Sequence[str]) -> float:
    started = time.perf_counter()
    session.predict(texts)
    return time.perf_counter() - started


def _spread(texts: Sequence[str], count: int, with_ends: bool) -> list[str]:
    """Texts of every length alike; with the shortest and the longest, which a few texts would overrate."""
    by_length = sorted(texts, key=len)
    count = min(count, len(by_length))
    last = len(by_length) - 1
    places = np.linspace(0, last, count) if with_ends else (np.arange(count) + 0.5) / count * len(by_length)
    return [by_length[min(int(place), last)] for place in places]
