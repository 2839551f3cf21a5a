"""Plants a fault in a real engine: behind a session that does one thing wrong, for `bench selftest`.

They are served, certified, loaded and judged like any other engine; nothing in the harness knows them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from bench.execution.sessions import open_session
from bench.plan.engines import backend_of, load_engines
from bench.types import (
    Availability,
    Backend,
    Classifier,
    EngineSpec,
    Prediction,
    Session,
    SessionInfo,
    StageClock,
)


class FaultyBackend(Backend):
    """Options: `engine`, the real engine's name; `fault`, a name of FAULTS; and the fault's own settings."""

    kinds = frozenset({"sequence", "embedding", "network", "linear"})

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """As available as the engine it wraps."""
        engine = load_engines()[spec.options["engine"]]
        return backend_of(engine).availability(engine, device)

    def load(self, classifier: Classifier) -> Session:
        settings = dict(self.spec.options)
        engine = load_engines()[settings.pop("engine")]
        fault = FAULTS[settings.pop("fault")]
        session: Session = fault(open_session(classifier, engine, self.place), **settings)
        return session


class WrappedSession:
    """The real session, untouched; each fault changes one method."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.clock: StageClock = session.clock
        self.info: SessionInfo = session.info

    def predict(self, texts: Sequence[str]) -> Prediction:
        return self._session.predict(texts)

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        return self._session.token_sha256(texts)

    def recompiles(self) -> int | None:
        return self._session.recompiles()

    def close(self) -> None:
        self._session.close()


class Slower(WrappedSession):
    """Takes `share` more time for every call, computing all the while."""

    def __init__(self, session: Session, share: float) -> None:
        super().__init__(session)
        self._share = share

    def predict(self, texts: Sequence[str]) -> Prediction:
        started = time.perf_counter()
        prediction = self._session.predict(texts)
        until = time.perf_counter() + self._share * (time.perf_counter() - started)
        while time.perf_counter() < until:
            pass
        return prediction


class Stalls(WrappedSession):
    """Stands still for `stall_s` at every `every`-th call."""

    def __init__(self, session: Session, stall_s: float, every: int) -> None:
        super().__init__(session)
        self._stall_s, self._every, self._calls = stall_s, every, 0

    def predict(self, texts: Sequence[str]) -> Prediction:
        self._calls += 1
        if self._calls % self._every == 0:
            time.sleep(self._stall_s)
        return self._session.predict(texts)


class Flips(WrappedSession):
    """Gives the next class for this share of the texts, always the same ones."""

    def __init__(self, session: Session, share: float) -> None:
        super().__init__(session)
        self._share = share

    def predict(self, texts: Sequence[str]) -> Prediction:
        honest = self._session.predict(texts)
        rows = np.array([_number(text) < self._share for text in texts])
        probabilities, labels = honest.probabilities.copy(), honest.labels.copy()
        probabilities[rows] = np.roll(probabilities[rows], 1, axis=1)
        labels[rows] = probabilities[rows].argmax(axis=1)
        return Prediction(probabilities, labels, honest.token_counts, honest.truncated)


class Caches(WrappedSession):
    """Answers a text it has seen before from memory."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._known: dict[str, Prediction] = {}

    def predict(self, texts: Sequence[str]) -> Prediction:
        for text in dict.fromkeys(text for text in texts if text not in self._known):
            self._known[text] = self._session.predict((text,))
        found = [self._known[text] for text in texts]
        return Prediction(
            np.concatenate([answer.probabilities for answer in found]),
            np.concatenate([answer.labels for answer in found]),
            np.concatenate([answer.token_counts for answer in found]),
            np.concatenate([answer.truncated for answer in found]),
        )


class Remembers(WrappedSession):
    """Saves this share of the time for a text it has seen before, as a server with a cache of prefixes does."""

    def __init__(self, session: Session, saves: float, text_s: float) -> None:
        super().__init__(session)
        self._saves, self._text_s = saves, text_s
        self._known: set[str] = set()

    def predict(self, texts: Sequence[str]) -> Prediction:
        until = time.perf_counter()
        for text in texts:
            until += self._text_s * (1 - self._saves if text in self._known else 1)
            self._known.add(text)
        prediction = self._session.predict(texts)
        while time.perf_counter() < until:
            pass
        return prediction


class Truncates(WrappedSession):
    """Reads the first `words` words alone, and says so when asked for its tokens."""

    def __init__(self, session: Session, words: int) -> None:
        super().__init__(session)
        self._words = words

    def _cut(self, texts: Sequence[str]) -> list[str]:
        return [" ".join(text.split()[: self._words]) for text in texts]

    def predict(self, texts: Sequence[str]) -> Prediction:
        return self._session.predict(self._cut(texts))

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        return self._session.token_sha256(self._cut(texts))


class DoesNothing(WrappedSession):
    """Answers at once, the first class for every text: what is left is the harness."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._classes = session.predict(("a text",)).probabilities.shape[1]
        self._one = self._answer(1)

    def _answer(self, n: int) -> Prediction:
        probabilities = np.zeros((n, self._classes), dtype=np.float32)
        probabilities[:, 0] = 1.0
        return Prediction(probabilities, np.zeros(n, np.int64), np.ones(n, np.int32), np.zeros(n, bool))

    def predict(self, texts: Sequence[str]) -> Prediction:
        return self._one if len(texts) == 1 else self._answer(len(texts))


def _number(text: str) -> float:
    """A text's own number in [0, 1)."""
    return int.from_bytes(sha256(text.encode("utf-8")).digest()[:6], "big") / 2**48


FAULTS: dict[str, Any] = {
    "none": WrappedSession,
    "slower": Slower,
    "stalls": Stalls,
    "flips": Flips,
    "caches": Caches,
    "remembers": Remembers,
    "truncates": Truncates,
    "does-nothing": DoesNothing,
}
