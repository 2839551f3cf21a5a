"""Measures how much a classifier may answer alone: risk and coverage, thresholds of confidence, temperature.

An answer is automated where its confidence, the probability of the label given, reaches a threshold; the rest goes to a
person. A threshold is chosen on texts that no figure is measured on. The least one is taken whose answers there keep

    (errors + 1) / (answers + 1) <= 1 - target,

one error more than was seen, as conformal risk control counts (Angelopoulos et al. 2022), so that 99 % takes 99 answers
without an error. Where few texts choose, the answers may still come out a little below the target, so what a threshold
gives is measured on test: coverage and accuracy are shares of independent texts then, and get Wilson's interval.
benchmarks/selective.md has the simulated coverage of all intervals here, and what thresholds come to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench.quality.intervals import Z
from bench.quality.stats import expected_calibration_error, mcnemar, wilson
from bench.results.records import Answers, Interval
from bench.types import Prediction

TARGETS = (0.95, 0.98, 0.99)
CURVE_SHARES = tuple(share / 20 for share in range(1, 21))
ERRORS_FOR_INTERVAL = 50  # 36 errors of 400 texts: coverage 91.8 %
HALF_SEED = 0
TEMPERATURES = (0.05, 20.0)
_TINY = float(np.finfo(np.float32).tiny)

Fate = Literal["held", "likely held", "likely missed", "missed"]


@dataclass(frozen=True)
class Automation:
    """What a threshold of confidence gives on n test texts that had no part in its choice.

    threshold None: none of the `chosen_on` texts' confidences keeps the target, nothing is automated. They are
    validation texts, or where those were not asked half of the test texts, and n counts the other half. accuracy: of
    the automated answers, None where there are none. seen: the share automated of the texts it was chosen on.
    """

    target: float
    threshold: float | None
    chosen_on: int
    n: int
    coverage: Interval
    accuracy: Interval | None
    on_validation: bool = True
    seen: float = 0.0

    @property
    def enough(self) -> bool:
        """Whether so few texts can show the target at all, were all of them answered right."""
        return self.chosen_on >= texts_to_choose(self.target)

    @property
    def fate(self) -> Fate | None:
        """Whether the automated answers kept the target, by their interval; None where nothing was automated."""
        if self.accuracy is None:
            return None
        if self.accuracy.value >= self.target:
            return "held" if self.accuracy.low >= self.target else "likely held"
        return "likely missed" if self.accuracy.high >= self.target else "missed"


def confidence_of(prediction: Prediction) -> np.ndarray:
    """Probability of the label given, float (n,); -inf for an answer that names no class: it is never automated."""
    rows = np.arange(len(prediction.labels))
    given = prediction.probabilities[rows, np.maximum(prediction.labels, 0)].astype(float)
    return np.where(prediction.labels >= 0, given, -np.inf)


def least_confidence(confidence: np.ndarray, right: np.ndarray, target: float) -> float | None:
    """The lowest threshold whose answers keep the target, of float (n,) confidences and bool (n,) right answers.

    Equal confidences are automated together. None where no threshold keeps it.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    errors = np.cumsum(~right[order])
    answers = np.arange(1, len(ranked) + 1)
    last_of_equals = np.append(ranked[1:] < ranked[:-1], True) if len(ranked) else np.zeros(0, bool)
    keeps = (errors + 1) <= (1 - target) * (answers + 1) + 1e-9
    found = np.flatnonzero(keeps & last_of_equals & np.isfinite(ranked))
    return float(ranked[found[-1]]) if len(found) else None


def automate(test: Answers, threshold: float | None, target: float, chosen_on: int) -> Automation:
    """Coverage and accuracy of a threshold on test texts; raises ValueError where there are none."""
    automated = automated_texts(test, threshold)
    right = test.prediction.labels == test.labels
    answered, n = int(automated.sum()), len(right)
    accuracy = wilson(int((right & automated).sum()), answered) if answered else None
    return Automation(target, threshold, chosen_on, n, wilson(answered, n), accuracy)


def automated_texts(test: Answers, threshold: float | None) -> np.ndarray:
    """Which texts are answered alone, bool (n,)."""
    confidence = confidence_of(test.prediction)
    return np.zeros(len(confidence), bool) if threshold is None else confidence >= threshold


def texts_to_choose(target: float) -> int:
    """The fewest texts, all answered right, of which a threshold keeps the target."""
    return math.ceil(1 / (1 - target) - 1e-9) - 1


def automation(validation: Answers | None, test: Answers, target: float) -> Automation:
    """The threshold of validation, measured on test; without validation that of one half of test, on the other."""
    chosen_on, measured = (validation, test) if validation is not None else halves(test)
    threshold = threshold_of(chosen_on, target)
    found = automate(measured, threshold, target, len(chosen_on.labels))
    seen = float(automated_texts(chosen_on, threshold).mean()) if len(chosen_on.labels) else 0.0
    return replace(found, on_validation=validation is not None, seen=seen)


def automate_differently(first: Answers, second: Answers, thresholds: tuple[float | None, float | None]) -> float:
    """Exact McNemar p of whether two rows automate equally much of the texts that both answered."""
    _, of_first, of_second = np.intersect1d(first.ids, second.ids, assume_unique=True, return_indices=True)
    one, other = automated_texts(first, thresholds[0])[of_first], automated_texts(second, thresholds[1])[of_second]
    return mcnemar(int((one & ~other).sum()), int((other & ~one).sum()))


def threshold_of(chosen_on: Answers, target: float) -> float | None:
    """`least_confidence` of stored answers."""
    prediction = chosen_on.prediction
    return least_confidence(confidence_of(prediction), prediction.labels == chosen_on.labels, target)


def halves(test: Answers) -> tuple[Answers, Answers]:
    """Test texts cut in two by a seed, in the order of their ids: one half to choose on, one to measure."""
    order = np.argsort(test.ids, kind="stable")
    mixed = order[np.random.default_rng(HALF_SEED).permutation(len(order))]
    middle = len(order) // 2
    return taken(test, np.sort(mixed[:middle])), taken(test, np.sort(mixed[middle:]))


def taken(answers: Answers, rows: np.ndarray) -> Answers:
    """The answers of some rows, int (m,)."""
    prediction = answers.prediction
    chosen = Prediction(
        probabilities=prediction.probabilities[rows],
        labels=prediction.labels[rows],
        token_counts=prediction.token_counts[rows],
        truncated=prediction.truncated[rows],
        endings=None if prediction.endings is None else prediction.endings[rows],
    )
    return Answers(answers.ids[rows], answers.labels[rows], chosen)


def class_automation(validation: Answers, test: Answers, target: float, k: int) -> list[Automation | None]:
    """One threshold for each of k classes, which keeps the target among validation's answers of that class.

    Coverage is of the test texts that were answered so; None for a class that no test text was answered with.
    """
    found: list[Automation | None] = []
    for label in range(k):
        chosen_on = taken(validation, np.flatnonzero(validation.prediction.labels == label))
        measured = taken(test, np.flatnonzero(test.prediction.labels == label))
        threshold = threshold_of(chosen_on, target)
        there = len(measured.labels) > 0
        found.append(automate(measured, threshold, target, len(chosen_on.labels)) if there else None)
    return found


def risk_coverage(answers: Answers) -> list[tuple[float, Interval]]:
    """Share automated and the accuracy of those answers with its interval, most confident first, in steps of 5 %.

    Equal confidences are automated together; a step that they skip is not in the curve.
    """
    confidence, right = confidence_of(answers.prediction), answers.prediction.labels == answers.labels
    ranked = np.sort(confidence)[::-1]
    curve = []
    for share in CURVE_SHARES:
        wanted = math.ceil(share * len(ranked) - 1e-9)
        automated = confidence >= ranked[wanted - 1]
        if np.isfinite(ranked[wanted - 1]) and automated.sum() < (share + CURVE_SHARES[0]) * len(ranked):
            curve.append((share, wilson(int((right & automated).sum()), int(automated.sum()))))
    return curve


def area_under_risk_coverage(answers: Answers) -> Interval:
    """Mean error rate over all coverages (AURC; Geifman, Uziel and El-Yaniv 2019), lower is better, in [0, 1].

    With n texts it is the mean of error * (1 / rank + ... + 1 / n), equal confidences in every order; the interval is
    that of its influence function, on the logarithm. None holds with fewer than ERRORS_FOR_INTERVAL errors.
    """
    confidence = confidence_of(answers.prediction)
    wrong = (answers.prediction.labels != answers.labels).astype(float)
    n = len(wrong)
    order = np.argsort(-confidence, kind="stable")
    ranked, errors = confidence[order], wrong[order]
    _, group, sizes = np.unique(-ranked, return_inverse=True, return_counts=True)
    errors = (np.bincount(group, errors) / sizes)[group]
    weights = np.cumsum(1 / np.arange(n, 0, -1))[::-1]
    value = float((errors * weights).mean())
    count = int(wrong.sum())
    if count < ERRORS_FOR_INTERVAL:
        return Interval(value=value, low=0.0, high=1.0, items_needed=math.ceil(n * ERRORS_FOR_INTERVAL / max(count, 1)))
    share = np.arange(1, n + 1) / n
    lost = errors / share
    influence = errors * weights - value - (np.cumsum(lost[::-1])[::-1] - errors.sum()) / n
    half = Z * float(influence.std()) / math.sqrt(n) / value
    return Interval(value=value, low=value * math.exp(-half), high=min(1.0, value * math.exp(half)))


@dataclass(frozen=True)
class Calibration:
    """Temperature scaling fitted on validation, and what it does on test: ECE and mean negative log likelihood."""

    temperature: float
    fitted_on: int
    ece_before: float
    ece_after: float
    loss_before: float
    loss_after: float


def calibration(validation: Answers, test: Answers) -> Calibration | None:
    """The temperature of validation, measured on test; None where none can be fitted or no test answer is valid."""
    temperature = fit_temperature(validation)
    valid = test.prediction.labels >= 0
    if temperature is None or not valid.any():
        return None
    probabilities, labels = test.prediction.probabilities[valid].astype(float), test.labels[valid]
    scaled = with_temperature(probabilities, temperature)
    predicted = test.prediction.labels[valid]
    before = expected_calibration_error(probabilities, predicted, labels)
    after = expected_calibration_error(scaled, predicted, labels)
    assert before is not None  # noqa: S101 - there is a valid answer
    assert after is not None  # noqa: S101
    return Calibration(
        temperature,
        int((validation.prediction.labels >= 0).sum()),
        before,
        after,
        _log_loss(probabilities, labels),
        _log_loss(scaled, labels),
    )


def fit_temperature(validation: Answers) -> float | None:
    """The temperature of least negative log likelihood (Guo et al. 2017); None where there is none.

    Probabilities say all that logits do, but for a constant that softmax does not see. No temperature is the best where
    every answer is right (the lower the better) or where confidence tells nothing (the higher the better).
    """
    from scipy.optimize import minimize_scalar

    valid = validation.prediction.labels >= 0
    probabilities, labels = validation.prediction.probabilities[valid].astype(float), validation.labels[valid]
    if not len(labels):
        return None
    low, high = (math.log(end) for end in TEMPERATURES)

    def loss(log_temperature: float) -> float:
        return _log_loss(with_temperature(probabilities, math.exp(log_temperature)), labels)

    found = float(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-4}).x)
    return math.exp(found) if low + 0.01 < found < high - 0.01 else None


def with_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities float (n, k) of the same logits divided by a temperature."""
    logits = np.log(np.maximum(probabilities, _TINY)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return scaled


def _log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    given = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(given, _TINY)).mean())
