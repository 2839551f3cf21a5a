"""Records what the user of a classifier demands of it, and the lengths of the texts it will read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench.types import Record


class Demands(Record):
    """rps in 1/s, p99 in milliseconds, macro F1 as a share, price of the machine an hour; None: not demanded.

    accuracy: what automated answers must keep, below 1; the other texts go to a person.
    """

    rps: float | None = None
    p99_ms: float | None = None
    min_f1: float | None = None
    price_per_hour: float | None = None
    accuracy: float | None = None


@dataclass(frozen=True)
class OwnLengths:
    """The user's texts as each classifier reads them: `counts` int (n,) by classifier sha256; missing: not countable.

    `common` int (n,) are counts given by the user, the same for every classifier; `n` texts.
    """

    n: int
    counts: Mapping[str, np.ndarray]
    common: np.ndarray | None = None

    def of(self, classifier_sha256: str | None, kind: str | None) -> np.ndarray | None:
        """Tokens of each text; None where they cannot be known.

        Given counts say nothing of a bag of words (n-grams) and of a prompt, whose own tokens come on top.
        """
        if self.common is not None:
            return None if kind in ("linear", "options", "generate") else self.common
        return self.counts.get(classifier_sha256 or "")
