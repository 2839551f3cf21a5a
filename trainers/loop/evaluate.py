"""One point of a training curve from validation logits."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from bench.quality.scores import macro_scores
from bench.types import CurvePoint


def curve_point(
    step: int, epoch: float, training_loss: float | None, logits: np.ndarray, labels: np.ndarray
) -> CurvePoint:
    """Loss (nats) and scores of logits float (n, k) against labels int (n,)."""
    predicted = logits.argmax(axis=1)
    loss = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels].mean()
    scores = macro_scores(labels, predicted, logits.shape[1])
    return CurvePoint(
        step=step,
        epoch=epoch,
        training_loss=training_loss,
        validation_loss=float(loss),
        accuracy=float((predicted == labels).mean()),
        precision=scores.precision,
        recall=scores.recall,
        f1=scores.f1,
    )


def with_test_scores(point: CurvePoint, logits: np.ndarray, labels: np.ndarray) -> CurvePoint:
    """The point with its scores of logits float (n, k) on test; for the table, nothing is chosen by them."""
    tested = curve_point(0, 0.0, None, logits, labels)
    scores = tested.model_dump(include={"accuracy", "precision", "recall", "f1"})
    return point.model_copy(update={f"test_{name}": score for name, score in scores.items()})
