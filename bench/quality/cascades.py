"""Compute what two classifiers come to where the second answers only the texts that the first is unsure of.

The threshold of confidence is chosen on validation: of the shares that may be handed on, the least whose macro F1 is as
high there as the second classifier's alone, or else the share of the highest macro F1. What the cascade gives is then
computed from stored answers to test texts, and its speed from the measured rates of both: a text takes the first's
time, and those handed on the second's too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.quality.scores import macro_scores
from bench.quality.selective import confidence_of, taken
from bench.results.records import Answers
from bench.types import Prediction

SHARES = tuple(step / 20 for step in range(1, 20))
_QUANTILES = 400


@dataclass(frozen=True)
class Handover:
    """A threshold of the first classifier's confidence, and what it came to on the validation texts that chose it."""

    threshold: float
    share: float
    macro_f1: float


def choose_handover(first: Answers, second: Answers, class_count: int) -> Handover | None:
    """The threshold for two classifiers' answers to validation; None where no share can be told from all or none."""
    first, second = common(first, second)
    ranked = np.sort(confidence_of(first.prediction))
    wanted = macro_scores(second.labels, second.prediction.labels, class_count).f1 if len(ranked) else 0.0
    thresholds = dict.fromkeys(float(ranked[int(share * len(ranked))]) for share in SHARES) if len(ranked) else {}
    found = [_handover(first, second, threshold, class_count) for threshold in thresholds]
    useful = [each for each in found if 0 < each.share < 1]
    if not useful:
        return None
    as_good = [each for each in useful if each.macro_f1 >= wanted]
    if as_good:
        return min(as_good, key=lambda each: each.share)
    return max(useful, key=lambda each: (each.macro_f1, -each.share))


def _handover(first: Answers, second: Answers, threshold: float, class_count: int) -> Handover:
    together = cascade(first, second, threshold)
    f1 = macro_scores(together.labels, together.prediction.labels, class_count).f1
    return Handover(threshold, handed_on(first, threshold), f1)


def handed_on(first: Answers, threshold: float) -> float:
    """The share of texts that the first classifier is less sure of than the threshold."""
    return float((confidence_of(first.prediction) < threshold).mean())


def cascade(first: Answers, second: Answers, threshold: float) -> Answers:
    """The answers to the texts that both answered: the first's from the threshold on, else the second's."""
    first, second = common(first, second)
    unsure = confidence_of(first.prediction) < threshold
    one, other = first.prediction, second.prediction
    prediction = Prediction(
        probabilities=np.where(unsure[:, None], other.probabilities, one.probabilities),
        labels=np.where(unsure, other.labels, one.labels),
        token_counts=one.token_counts,
        truncated=np.where(unsure, other.truncated, one.truncated),
    )
    return Answers(first.ids, first.labels, prediction)


def common(first: Answers, second: Answers) -> tuple[Answers, Answers]:
    """Both classifiers' answers to the texts that both answered, in one order."""
    _, rows, other_rows = np.intersect1d(first.ids, second.ids, assume_unique=True, return_indices=True)
    return taken(first, rows), taken(second, other_rows)


def cascade_rate(first_rps: float, second_rps: float, share: float) -> float:
    """Texts a second where one machine does both, one after the other."""
    return 1 / (1 / first_rps + share / second_rps)


def cascade_p99_ms(first_ns: np.ndarray, second_ns: np.ndarray, share: float) -> float:
    """99th percentile in milliseconds of latencies int (queries,): the first's, with the second's added for a share.

    Both are taken as independent of each other and of what is handed on.
    """
    at = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    one, other = np.quantile(first_ns, at), np.quantile(second_ns, at)
    both = (one[:, None] + other[None, :]).ravel()
    values = np.concatenate([one, both])
    weights = np.concatenate([np.full(len(one), (1 - share) / len(one)), np.full(len(both), share / len(both))])
    order = np.argsort(values)
    place = int(np.searchsorted(weights[order].cumsum(), 0.99 - 1e-12))
    return float(values[order[min(place, len(values) - 1)]]) / 1e6
