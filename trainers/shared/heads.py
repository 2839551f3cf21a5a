"""Trains heads on fixed features: multinomial logistic regression or one hidden layer; chosen on validation."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import log_softmax

from bench.types import CurvePoint
from trainers.loop.evaluate import curve_point

MAX_ITERATIONS = 1000
EARLY_STOPPING_TEXTS = 200  # below, the tenth that scikit-learn holds out is too few texts to stop by


@dataclass(frozen=True)
class Head:
    """Weights float32 by name: "0.weight" (k, d) and "0.bias" (k,), a hidden layer's before ("2." is then the last).

    `strength` is the inverse regularisation that validation chose.
    """

    weights: dict[str, np.ndarray]
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

    def fit(strength: float) -> tuple[dict[str, np.ndarray], float]:
        model = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS, random_state=seed).fit(features, labels)
        weight, bias = _rows_of_all_classes(model.coef_, model.intercept_, class_count)
        return {"0.weight": weight, "0.bias": bias}, _loss(model, features, labels)

    return _choose(fit, validation_features, validation_labels, strengths)


def choose_mlp(
    features: np.ndarray,
    labels: np.ndarray,
    validation_features: np.ndarray,
    validation_labels: np.ndarray,
    class_count: int,
    strengths: Sequence[float],
    hidden: int,
    seed: int,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
) -> Head:
    """The same with one hidden layer of ReLU units, by scikit-learn's MLPClassifier; every class must be in train.

    With a number of epochs given all of them are run; otherwise it stops by itself, after at most 200.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    stops_itself = epochs is None and len(labels) >= EARLY_STOPPING_TEXTS
    fixed: dict[str, Any] = {"early_stopping": stops_itself, "random_state": seed}
    if epochs is not None:
        fixed |= {"max_iter": epochs, "n_iter_no_change": epochs}
    if batch_size is not None:
        fixed["batch_size"] = min(batch_size, len(labels))
    if learning_rate is not None:
        fixed["learning_rate_init"] = learning_rate

    def fit(strength: float) -> tuple[dict[str, np.ndarray], float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of a number of epochs that was asked for
            model = MLPClassifier((hidden,), alpha=1 / strength, **fixed).fit(features, labels)
        inner, outer = model.coefs_
        weight, bias = _rows_of_all_classes(outer.T, model.intercepts_[1], class_count)
        first = {"0.weight": _contiguous(inner.T), "0.bias": _contiguous(model.intercepts_[0])}
        return {**first, "2.weight": weight, "2.bias": bias}, _loss(model, features, labels)

    return _choose(fit, validation_features, validation_labels, strengths)


def _choose(
    fit: Callable[[float], tuple[dict[str, np.ndarray], float]],
    validation_features: Any,
    validation_labels: np.ndarray,
    strengths: Sequence[float],
) -> Head:
    best: Head | None = None
    fit_s = evaluate_s = 0.0
    for step, strength in enumerate(strengths, start=1):
        started = time.perf_counter()
        weights, loss = fit(strength)
        fit_s += time.perf_counter() - started
        started = time.perf_counter()
        point = curve_point(step, 1.0, loss, apply_head(weights, validation_features), validation_labels)
        evaluate_s += time.perf_counter() - started
        if best is None or _score(point) > _score(best.point):
            best = Head(weights, strength, 0.0, 0.0, point)
    assert best is not None  # noqa: S101 - there is at least one strength
    return replace(best, fit_s=fit_s, evaluate_s=evaluate_s)


def apply_head(weights: dict[str, np.ndarray], features: Any) -> np.ndarray:
    """Logits (n, k) of features (n, d)."""
    hidden = np.asarray(features @ weights["0.weight"].T) + weights["0.bias"]
    if "2.weight" not in weights:
        return hidden
    return np.maximum(hidden, 0) @ weights["2.weight"].T + weights["2.bias"]


def _score(point: CurvePoint) -> tuple[float, float]:
    return (point.f1, -(point.validation_loss or 0.0))


def _rows_of_all_classes(weight: np.ndarray, bias: np.ndarray, class_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes are one row in scikit-learn; half of it for and half against gives the same probabilities."""
    weight, bias = _contiguous(weight), _contiguous(bias)
    if class_count == 2 and len(weight) == 1:
        return np.concatenate([-weight / 2, weight / 2]), np.concatenate([-bias / 2, bias / 2])
    return weight, bias


def _contiguous(values: np.ndarray) -> np.ndarray:
    """safetensors writes the memory as it lies, and scikit-learn's weights may be a transposed view."""
    return np.ascontiguousarray(values, dtype=np.float32)


def _loss(model: Any, features: Any, labels: np.ndarray) -> float:
    log_probabilities = log_softmax(np.atleast_2d(model.predict_log_proba(features)), axis=1)
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())
