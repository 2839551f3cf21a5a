"""Averages the class probabilities of several classifiers, and adds their costs up: nothing is run for it.

The mean of probabilities, not of logits, because that is what every engine stores (soft voting; Lakshminarayanan et al.
2017 for the seeds of one method). An answer that names no class has equal probabilities and so no say.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from bench.quality.selective import taken
from bench.results.records import Answers
from bench.types import Prediction


def average(members: Sequence[Answers]) -> Answers:
    """The answers to the texts that all members answered; of equal probabilities the first class is taken."""
    ids = reduce(np.intersect1d, (each.ids for each in members))
    parts = [_in_order(each, ids) for each in members]
    stacked = np.stack([each.prediction.probabilities for each in parts])
    probabilities: np.ndarray = stacked.mean(axis=0, dtype=np.float64)
    valid = np.any([each.prediction.labels >= 0 for each in parts], axis=0)
    prediction = Prediction(
        probabilities=probabilities.astype(np.float32),
        labels=np.where(valid, probabilities.argmax(axis=1), -1).astype(np.int64),
        token_counts=np.max([each.prediction.token_counts for each in parts], axis=0),
        truncated=np.any([each.prediction.truncated for each in parts], axis=0),
    )
    return Answers(ids, parts[0].labels, prediction)


def _in_order(answers: Answers, ids: np.ndarray) -> Answers:
    """The answers to the texts of these ids, which are sorted."""
    order = np.argsort(answers.ids)
    return taken(answers, order[np.searchsorted(answers.ids[order], ids)])


def ensemble_rate(rates_rps: Sequence[float]) -> float:
    """Texts a second where one machine asks all members, one after the other."""
    return 1 / sum(1 / rate for rate in rates_rps)
