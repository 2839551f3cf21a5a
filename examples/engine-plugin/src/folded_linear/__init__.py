"""Serves bag-of-words classifiers one text at a time: idf and weights folded into one table, no sparse matrix."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from time import perf_counter
from typing import ClassVar

import numpy as np

from bench.classifiers.linear import LinearClassifier, load_linear
from bench.types import (
    Availability,
    Backend,
    Classifier,
    ClassifierKind,
    EngineSpec,
    Prediction,
    SessionInfo,
    StageClock,
)

__version__ = "0.1.0"


class FoldedLinearBackend(Backend):
    """For linear classifiers, on the CPU, with one thread."""

    kinds: ClassVar[frozenset[ClassifierKind]] = frozenset({"linear"})

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:  # noqa: ARG004 - one signature for all engines
        """Needs nothing that the harness has not."""
        return Availability(True, __version__)

    def load(self, classifier: Classifier) -> FoldedLinearSession:
        """Read the weights and fold them."""
        started = perf_counter()
        linear = load_linear(classifier)
        info = SessionInfo(
            load_s=perf_counter() - started, precision="fp32", threads=1, artifact_bytes=classifier.artifact_bytes
        )
        return FoldedLinearSession(linear, info)


class FoldedLinearSession:
    """Counts the n-grams of a text and adds up their rows of the table."""

    def __init__(self, linear: LinearClassifier, info: SessionInfo) -> None:
        self.clock = StageClock()
        self.info = info
        self._ngrams = linear.vectoriser.build_analyzer()
        self._row_of: dict[str, int] = linear.vectoriser.vocabulary
        self._idf = np.asarray(linear.vectoriser.idf_, dtype=np.float32)
        self._weight = np.ascontiguousarray(linear.weight.T)
        self._bias = linear.bias

    def predict(self, texts: Sequence[str]) -> Prediction:
        """From raw strings to labels; token counts are the distinct known n-grams of a text."""
        probabilities = np.empty((len(texts), len(self._bias)), dtype=np.float32)
        counts = np.zeros(len(texts), dtype=np.int32)
        for number, text in enumerate(texts):
            started = perf_counter()
            rows, values = self._features(text)
            counted = perf_counter()
            logits = values @ self._weight[rows] + self._bias
            exponents = np.exp(logits - logits.max())
            probabilities[number] = exponents / exponents.sum()
            counts[number] = len(rows)
            self.clock.tokenise_s += counted - started
            self.clock.forward_s += perf_counter() - counted
        self.clock.real_tokens += int(counts.sum())
        self.clock.padded_tokens += int(counts.sum())
        self.clock.batches += len(texts)
        return Prediction(probabilities, probabilities.argmax(axis=1), counts, np.zeros(len(texts), dtype=bool))

    def _features(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the known n-grams and their TF-IDF values: 1 + log count, times idf, to unit length."""
        known = Counter(row for ngram in self._ngrams(text) if (row := self._row_of.get(ngram)) is not None)
        rows = np.fromiter(known.keys(), dtype=np.int64, count=len(known))
        tf = np.fromiter((1.0 + math.log(count) for count in known.values()), dtype=np.float32, count=len(known))
        values = tf * self._idf[rows]
        length = float(np.linalg.norm(values))
        return rows, values / length if length else values

    def token_sha256(self, texts: Sequence[str]) -> str | None:  # noqa: ARG002 - one signature for all engines
        """None: there are no token ids."""
        return None

    def recompiles(self) -> int | None:
        """None: nothing is compiled."""
        return None

    def close(self) -> None:
        """Nothing is held that outlives the session."""
