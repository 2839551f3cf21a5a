"""Computes the logits of a split, and makes a point of a training curve of them."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import log_softmax
from torch import nn

from bench.quality.scores import macro_scores
from bench.types import CurvePoint
from trainers.loop.batches import TokenisedSplit, evaluation_batches


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


def predict_logits(module: nn.Module, split: TokenisedSplit, device: str, bf16: bool) -> np.ndarray:
    """Logits float32 (n, k) of a split, in its order; leaves the module in training mode if it was in it."""
    training = module.training
    module.eval()
    logits: np.ndarray | None = None
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=bf16):
        for rows in evaluation_batches(split.lengths):
            input_ids, attention_mask, _ = split.batch(rows, device)
            part = module(input_ids, attention_mask).float().cpu().numpy()
            if logits is None:
                logits = np.empty((len(split), part.shape[1]), dtype=np.float32)
            logits[rows] = part
    module.train(training)
    assert logits is not None  # noqa: S101 - a split is never empty
    return logits
