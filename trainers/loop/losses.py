"""Adds losses up of small parts: cross-entropy with smoothing and class weights, R-Drop, supervised contrast."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from bench.classifiers.sequence import find_head
from trainers.loop.teaching import TeachingParams

Objective = Callable[..., Tensor]

SMALLEST = 1e-6  # probability of a teacher: engines round below it, and a logarithm of 0 is none


class LossParams(TeachingParams):
    """Parts of the loss; at their defaults it is plain cross-entropy.

    r_drop: weight of the symmetric KL divergence between two dropout passes. contrastive: share of the contrastive
    loss, the rest is cross-entropy; temperature is its temperature. contrast_on: the vectors that the head reads
    (Gunel et al. 2021), or the logits that it gives.
    """

    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    class_weights: Literal["balanced"] | None = None
    r_drop: float = Field(default=0.0, ge=0.0)
    contrastive: float = Field(default=0.0, ge=0.0, le=1.0)
    temperature: float = Field(default=0.07, gt=0.0)
    contrast_on: Literal["pooled", "logits"] = "pooled"


def make_objective(params: LossParams, labels: np.ndarray, class_count: int) -> Objective:
    """objective(module, input_ids, attention_mask, labels, soft=None) -> the loss, summed over rows, in nats.

    soft: a teacher's probabilities (b, k), or None.

    labels int64 (n,) are those of train: class weights come from their counts.
    """
    weight = torch.from_numpy(balanced_weights(labels, class_count)) if params.class_weights else None

    def objective(
        module: nn.Module, input_ids: Tensor, attention_mask: Tensor, target: Tensor, soft: Tensor | None = None
    ) -> Tensor:
        with _pooled_vectors(module, wanted=params.contrastive > 0 and params.contrast_on == "pooled") as pooled:
            logits = module(input_ids, attention_mask).float()
        loss = _cross_entropy(logits, target, weight, params.label_smoothing)
        if params.r_drop:
            again = module(input_ids, attention_mask).float()
            loss = (loss + _cross_entropy(again, target, weight, params.label_smoothing)) / 2
            loss = loss + params.r_drop * symmetric_kl(logits, again)
        if params.contrastive:
            contrast = supervised_contrastive(pooled[0] if pooled else logits, target, params.temperature)
            loss = (1 - params.contrastive) * loss + params.contrastive * contrast
        if soft is not None:
            loss = (1 - params.distil) * loss + params.distil * soft_target_loss(
                logits, soft, params.distil_temperature
            )
        return loss

    return objective


def _cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None, label_smoothing: float) -> Tensor:
    """Label smoothing as of Szegedy et al. 2016, section 7."""
    weight = None if weight is None else weight.to(logits.device)
    return functional.cross_entropy(logits, target, weight, reduction="sum", label_smoothing=label_smoothing)


def balanced_weights(labels: np.ndarray, class_count: int) -> np.ndarray:
    """n / (k * count of the class), float32 (k,): every class weighs the same in all, the mean over texts is 1.

    The heuristic of King and Zeng 2001, as scikit-learn's class_weight="balanced". A class without texts weighs 0.
    """
    counts = np.bincount(labels, minlength=class_count)
    weights = np.zeros(class_count, dtype=np.float32)
    seen = counts > 0
    weights[seen] = len(labels) / (class_count * counts[seen])
    return weights


def symmetric_kl(first: Tensor, second: Tensor) -> Tensor:
    """Half of both KL divergences between two logits (b, k), summed over rows, nats (R-Drop, Liang et al. 2021)."""
    p, q = first.log_softmax(dim=-1), second.log_softmax(dim=-1)
    there = functional.kl_div(p, q, log_target=True, reduction="sum")
    back = functional.kl_div(q, p, log_target=True, reduction="sum")
    return (there + back) / 2


def soft_target_loss(logits: Tensor, probabilities: Tensor, temperature: float) -> Tensor:
    """KL divergence from a teacher's probabilities (b, k) to the logits' at a temperature, times its square, summed.

    Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network". The teacher's are brought to the
    temperature by its power: its logits but for a constant are their logarithm.
    """
    wanted = (probabilities.clamp(min=SMALLEST).log() / temperature).log_softmax(dim=-1)
    given = (logits / temperature).log_softmax(dim=-1)
    return functional.kl_div(given, wanted, log_target=True, reduction="sum") * temperature**2


def supervised_contrastive(vectors: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Supervised contrastive loss of pooled vectors (b, d), summed over rows, nats: Khosla et al. 2020, L_out^sup.

    Gunel et al. 2021 add it to cross-entropy for fine-tuning. A row whose class no other row of the batch has adds 0.
    """
    with torch.autocast(vectors.device.type, enabled=False):
        unit = functional.normalize(vectors.float(), dim=-1)
        similarity = unit @ unit.T / temperature
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    log_share = similarity - similarity.masked_fill(itself, float("-inf")).logsumexp(dim=1, keepdim=True)
    positives = (labels[:, None] == labels[None, :]) & ~itself
    counts = positives.sum(dim=1).clamp(min=1)
    return -(log_share.masked_fill(~positives, 0.0).sum(dim=1) / counts).sum()


@contextmanager
def _pooled_vectors(module: nn.Module, wanted: bool) -> Iterator[list[Tensor]]:
    """Within the block, what the module's head reads is put into the list: the pooled vectors (b, d)."""
    seen: list[Tensor] = []
    if not wanted:
        yield seen
        return

    def keep(_layer: nn.Module, arguments: tuple[Any, ...]) -> None:
        seen.append(arguments[0])

    hook = find_head(module).register_forward_pre_hook(keep)
    try:
        yield seen
    finally:
        hook.remove()
