"""The training loop of every torch method: grouped batches, bf16 where it is fast, the best checkpoint kept."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from bench.errors import BenchError
from bench.precision import has_fast_bf16
from bench.types import CurvePoint, Progress
from trainers.batches import TokenisedSplit, evaluation_batches, grouped_batches
from trainers.evaluate import curve_point
from trainers.params import Params


class LoopParams(Params):
    """Hyperparameters of the loop; `batch_size` is that of an optimiser step, computed in `accumulation` parts.

    With fewer than `min_steps` steps in the epochs asked for, there are as many epochs as it takes.
    """

    learning_rate: float = 2e-4
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_share: float = 0.1
    epochs: int = 3
    min_steps: int = 0
    batch_size: int = 32
    accumulation: int = 1
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    evaluations: int = 8
    patience: int | None = None


@dataclass(frozen=True)
class LoopOutcome:
    """What the loop did; the module it was given holds the weights of `chosen_step`. Times in seconds."""

    fit_s: float
    evaluate_s: float
    steps: int
    chosen_step: int
    epochs: float
    precision: str
    curve: tuple[CurvePoint, ...]
    notes: tuple[str, ...]


@dataclass
class _Best:
    """The best checkpoint so far: trainable weights only, the others never change."""

    point: CurvePoint
    weights: dict[str, torch.Tensor]
    fit_s: float


def train_module(
    module: nn.Module,
    train: TokenisedSplit,
    validation: TokenisedSplit,
    params: LoopParams,
    seed: int,
    device: str,
    progress: Progress,
) -> LoopOutcome:
    """Train `module` in place; forward(input_ids, attention_mask) -> logits (b, k).

    The checkpoint with the best validation macro F1 is kept, the lower loss where equal. A loss that is not finite ends
    the training with the last good checkpoint; BenchError when there is none. `fit_s` is the time to the chosen
    checkpoint, evaluations left out.
    """
    fit_s = evaluate_s = 0.0
    bf16 = has_fast_bf16(device)
    module.to(device).train()
    trainable = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
    steps_of_epoch = math.ceil(len(train) / params.batch_size)
    steps = max(params.epochs * steps_of_epoch, params.min_steps)
    optimiser = _optimiser(trainable, params)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps, params))
    every = max(1, math.ceil(steps / params.evaluations))
    curve: list[CurvePoint] = []
    notes: list[str] = []
    best: _Best | None = None
    losses: list[float] = []
    step = 0
    started = time.perf_counter()
    for rows in _endless(train.lengths, params.batch_size, seed):
        loss = _step(module, train, rows, params, optimiser, trainable, device, bf16)
        if not math.isfinite(loss):
            notes.append(
                f"the loss was {loss} at step {step + 1}; training stopped, the best checkpoint before it is kept"
            )
            break
        schedule.step()
        step += 1
        losses.append(loss)
        progress("training", step, steps)
        if step % every == 0 or step == steps:
            fit_s += time.perf_counter() - started
            started = time.perf_counter()
            logits = predict_logits(module, validation, device, bf16)
            point = curve_point(step, step / steps_of_epoch, float(np.mean(losses)), logits, validation.labels)
            losses = []
            curve.append(point)
            if best is None or _score(point) > _score(best.point):
                best = _Best(point, {name: weight.detach().clone() for name, weight in trainable.items()}, fit_s)
            evaluate_s += time.perf_counter() - started
            started = time.perf_counter()
            if step == steps or _stale(curve, best.point, params.patience):
                break
    if best is None:
        raise BenchError(f"training failed: {notes[0]}; lower the learning rate ({params.learning_rate:g})")
    with torch.no_grad():
        for name, weight in trainable.items():
            weight.copy_(best.weights[name])
    module.eval()
    return LoopOutcome(
        fit_s=best.fit_s,
        evaluate_s=evaluate_s,
        steps=step,
        chosen_step=best.point.step,
        epochs=step / steps_of_epoch,
        precision="bf16 autocast" if bf16 else "fp32",
        curve=tuple(curve),
        notes=tuple(notes),
    )


def seed_everything(seed: int) -> None:
    """The same seed gives the same weights on the same machine."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # every kernel here writes all it reads; filling memory first costs 6 % of a step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


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
    assert logits is not None  # noqa: S101 - a validation split is never empty
    return logits


def _endless(lengths: np.ndarray, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    while True:
        yield from grouped_batches(lengths, batch_size, generator)


def _step(
    module: nn.Module,
    train: TokenisedSplit,
    rows: np.ndarray,
    params: LoopParams,
    optimiser: torch.optim.Optimizer,
    trainable: Mapping[str, torch.Tensor],
    device: str,
    bf16: bool,
) -> float:
    """One optimiser step; returns the mean loss of the batch, in nats. A loss that is not finite moves no weight."""
    total = 0.0
    for part in np.array_split(rows, min(params.accumulation, len(rows))):
        input_ids, attention_mask, labels = train.batch(part, device)
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            logits = module(input_ids, attention_mask)
        loss = nn.functional.cross_entropy(logits.float(), labels, reduction="sum") / len(rows)
        total += loss.item()
        if not math.isfinite(total):
            return total
        loss.backward()
    nn.utils.clip_grad_norm_(trainable.values(), params.max_grad_norm)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return total


def _optimiser(trainable: Mapping[str, torch.Tensor], params: LoopParams) -> torch.optim.Optimizer:
    """AdamW; biases and normalisation weights are not decayed."""
    decayed = [weight for weight in trainable.values() if weight.ndim > 1]
    others = [weight for weight in trainable.values() if weight.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": params.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=params.learning_rate, fused=True)


def _rate(step: int, steps: int, params: LoopParams) -> float:
    """The share of the learning rate at a step: linear warm-up, then the schedule down to 0."""
    warmup = params.warmup_share * steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1.0, steps - warmup)
    if params.schedule == "constant":
        return 1.0
    return 1 - done if params.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2


def _score(point: CurvePoint) -> tuple[float, float]:
    return (point.f1, -(point.validation_loss or 0.0))


def _stale(curve: list[CurvePoint], best: CurvePoint, patience: int | None) -> bool:
    return patience is not None and sum(point.step > best.step for point in curve) >= patience


def trainable_parameters(module: nn.Module) -> int:
    """Numbers that training moves."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad)


def all_parameters(module: nn.Module) -> int:
    """Numbers in all weights."""
    return sum(weight.numel() for weight in module.parameters())
