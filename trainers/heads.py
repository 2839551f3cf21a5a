"""Multinomial logistic regression on fixed features, its strength chosen on validation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import log_softmax

from bench.types import CurvePoint
from trainers.evaluate import curve_point

MAX_ITERATIONS = 1000


@dataclass(frozen=True)
class Head:
    """weight float32 (k, d), bias float32 (k,); `strength` is the inverse regularisation C that validation chose."""

    weight: np.ndarray
    bias: np.ndarray
    strength: float
    fit_s: float
    evaluate_s: float
    point: CurvePoint


def choose_logistic_regression(
    features: Any,
    labels: np.ndarray,
    validation_features: Any,
    validation_labels: np.ndarray,
    class_count: int,
    strengths: Sequence[float],
    seed: int,
) -> Head:
    """The head with the best validation macro F1, the lower loss where equal. `fit_s` covers all strengths tried."""
    from sklearn.linear_model import LogisticRegression

    best: Head | None = None
    fit_s = evaluate_s = 0.0
    for step, strength in enumerate(strengths, start=1):
        started = time.perf_counter()
        model = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS, random_state=seed).fit(features, labels)
        fit_s += time.perf_counter() - started
        started = time.perf_counter()
        weight, bias = _rows_of_all_classes(model, class_count)
        logits = np.asarray(validation_features @ weight.T) + bias
        point = curve_point(step, 1.0, _loss(model, features, labels), logits, validation_labels)
        evaluate_s += time.perf_counter() - started
        if best is None or _score(point) > _score(best.point):
            best = Head(weight, bias, strength, 0.0, 0.0, point)
    assert best is not None  # noqa: S101 - there is at least one strength
    return Head(best.weight, best.bias, best.strength, fit_s, evaluate_s, best.point)


def _score(point: CurvePoint) -> tuple[float, float]:
    return (point.f1, -(point.validation_loss or 0.0))


def _rows_of_all_classes(model: Any, class_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes are one row in scikit-learn; half of it for and half against gives the same probabilities.

    Contiguous, because safetensors writes the memory as it lies and scikit-learn's weights may be a transposed view.
    """
    weight = np.ascontiguousarray(model.coef_, dtype=np.float32)
    bias = np.ascontiguousarray(model.intercept_, dtype=np.float32)
    if class_count == 2 and len(weight) == 1:
        return np.concatenate([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    return weight, bias


def _loss(model: Any, features: Any, labels: np.ndarray) -> float:
    log_probabilities = log_softmax(np.atleast_2d(model.predict_log_proba(features)), axis=1)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())
