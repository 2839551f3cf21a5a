"""Serves bag-of-words classifiers through scikit-learn's vectoriser and one sparse product."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from backends.shared.answers import answers
from bench.types import Availability, Backend, Classifier, EngineSpec, Prediction, SessionInfo, StageClock

if TYPE_CHECKING:
    from bench.classifiers.linear import LinearClassifier


class SklearnBackend(Backend):
    """Serves linear classifiers; always on the CPU."""

    kinds = frozenset({"linear"})

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:  # noqa: ARG004 - one signature for all backends
        """Needs scikit-learn."""
        try:
            return Availability(True, version("scikit-learn"))
        except PackageNotFoundError:
            return Availability(False, reason="scikit-learn is not installed", remedy="pip install scikit-learn")

    def load(self, classifier: Classifier) -> LinearSession:
        """Read weights and vocabulary."""
        from bench.classifiers.linear import load_linear

        started = perf_counter()
        linear = load_linear(classifier)
        info = SessionInfo(
            load_s=perf_counter() - started,
            precision=self.spec.precision,
            threads=1,  # the vectoriser and the sparse product have no threads to give
            artifact_bytes=classifier.artifact_bytes,
            details={"scikit-learn": version("scikit-learn"), "dtype": "fp32"},
        )
        return LinearSession(linear, info)


class LinearSession:
    """A session without tokens: words are counted inside the vectoriser."""

    def __init__(self, linear: LinearClassifier, info: SessionInfo) -> None:
        self.clock = StageClock()
        self.info = info
        self._linear = linear

    def predict(self, texts: Sequence[str]) -> Prediction:
        """From raw strings to labels; token counts are the distinct known n-grams of a text."""
        if not texts:
            return _no_answers(len(self._linear.bias))
        started = perf_counter()
        features = self._linear.features(list(texts))
        vectorised = perf_counter()
        logits = self._linear.logits(features)
        computed = perf_counter()
        probabilities, labels = answers(logits)
        counts = np.diff(features.indptr).astype(np.int32)
        self.clock.tokenise_s += vectorised - started
        self.clock.forward_s += computed - vectorised
        self.clock.post_s += perf_counter() - computed
        self.clock.real_tokens += int(counts.sum())
        self.clock.padded_tokens += int(counts.sum())
        self.clock.batches += 1
        return Prediction(probabilities, labels, counts, np.zeros(len(texts), dtype=bool))

    def token_sha256(self, texts: Sequence[str]) -> str | None:  # noqa: ARG002 - the protocol's signature
        """None: there are no token ids."""
        return None

    def recompiles(self) -> int | None:
        """None: nothing is compiled."""
        return None

    def close(self) -> None:
        """Nothing is held that outlives the session."""


def _no_answers(classes: int) -> Prediction:
    """scikit-learn refuses a matrix without rows."""
    return Prediction(
        np.empty((0, classes), np.float32), np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, bool)
    )
