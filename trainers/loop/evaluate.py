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
    """The point with accuracy and macro F1 of logits float (n, k) on test; for the table, nothing is chosen by them."""
    predicted = logits.argmax(axis=1)
    f1 = macro_scores(labels, predicted, logits.shape[1]).f1
    return point.model_copy(update={"test_accuracy": float((predicted == labels).mean()), "test_f1": f1})
