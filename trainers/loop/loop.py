"""Runs the training loop of every torch method: grouped batches, bf16 where it is fast, the best checkpoint kept."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.errors import BenchError, is_out_of_memory
from bench.machine.memory import keep_freed_memory
from bench.machine.precision import has_fast_bf16
from bench.types import CurvePoint, Progress, Workplace
from trainers.loop.batches import TokenisedSplit, grouped_batches
from trainers.loop.checkpoints import Checkpoints
from trainers.loop.evaluate import curve_point, predict_logits, with_test_scores
from trainers.loop.losses import Objective, make_objective
from trainers.loop.optimisers import make_optimiser, share_of_rate
from trainers.loop.records import LoopOutcome, LoopParams


@dataclass
class _Best:
    """The best checkpoint so far: trainable weights only, the others never change."""

    point: CurvePoint
    weights: dict[str, torch.Tensor]


def train_module(
    module: nn.Module,
    train: TokenisedSplit,
    validation: TokenisedSplit,
    params: LoopParams,
    seed: int,
    place: Workplace,
    progress: Progress,
    objective: Objective | None = None,
    test: TokenisedSplit | None = None,
) -> LoopOutcome:
    """Train `module` in place; forward(input_ids, attention_mask) -> logits (b, k).

    The checkpoint with the best validation macro F1 is kept, the lower loss where equal. A loss that is not finite ends
    the training with the last good checkpoint; BenchError when there is none. `test` is scored beside validation for
    the table, and chooses nothing. Where place.checkpoint holds the state of the same training, it goes on from there
    and ends with the same weights.
    """
    if place.device == "cpu":
        keep_freed_memory()
    if objective is None:
        class_count = max(int(train.labels.max()), int(validation.labels.max())) + 1
        objective = make_objective(params, train.labels, class_count)
    checkpoints = Checkpoints(place.checkpoint)
    training = _Training(module, train, validation, test, params, place.device, objective, seed)
    spent_s = checkpoints.spent_s()
    state = checkpoints.load()
    if state is not None:
        training.restore(state)
    training.count_lost_work(spent_s)
    training.run(progress, checkpoints)
    return training.outcome()


class _Training:
    """A training under way: everything that a checkpoint has to bring back."""

    def __init__(
        self,
        module: nn.Module,
        train: TokenisedSplit,
        validation: TokenisedSplit,
        test: TokenisedSplit | None,
        params: LoopParams,
        device: str,
        objective: Objective,
        seed: int,
    ) -> None:
        self.module = module.to(device).train()
        self.train, self.validation, self.test = train, validation, test
        self.params, self.device, self.objective, self.seed = params, device, objective, seed
        self.bf16 = has_fast_bf16(device)
        self.trainable = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
        self.steps_of_epoch = math.ceil(len(train) / params.batch_size)
        self.steps = max(params.epochs * self.steps_of_epoch, params.min_steps)
        self.optimiser = make_optimiser(self.trainable, params)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser, lambda step: share_of_rate(step, self.steps, params)
        )
        self.accumulation = params.accumulation
        self.step = 0
        self.fit_s = self.evaluate_s = 0.0
        self.curve: list[CurvePoint] = []
        self.notes: list[str] = []
        self.best: _Best | None = None

    def run(self, progress: Progress, checkpoints: Checkpoints) -> None:
        """To the last step, or until the loss breaks or validation has stopped getting better."""
        every = max(1, math.ceil(self.steps / self.params.evaluations))
        losses: list[float] = []
        if self._is_over():
            return
        started = time.perf_counter()
        for rows in islice(_endless(self.train.lengths, self.params.batch_size, self.seed), self.step, None):
            loss = self._step(rows)
            if not math.isfinite(loss):
                self.notes.append(
                    f"the loss was {loss} at step {self.step + 1}; training stopped, "
                    "the best checkpoint before it is kept"
                )
                break
            self.schedule.step()
            self.step += 1
            losses.append(loss)
            progress("training", self.step, self.steps)
            checkpoints.note_spent(self.fit_s + time.perf_counter() - started)
            if self.step % every == 0 or self.step == self.steps:
                self.fit_s += time.perf_counter() - started
                started = time.perf_counter()
                progress("evaluating", self.step, self.steps)
                self._evaluate(float(np.mean(losses)))
                losses = []
                self.evaluate_s += time.perf_counter() - started
                if checkpoints.due():
                    checkpoints.save(self.state())
                if self._is_over():
                    break
                started = time.perf_counter()

    def _is_over(self) -> bool:
        return self.step >= self.steps or (
            self.best is not None and _stale(self.curve, self.best.point, self.params.patience)
        )

    def _evaluate(self, training_loss: float) -> None:
        """A point of the curve, and the weights where it is the best so far."""
        logits = predict_logits(self.module, self.validation, self.device, self.bf16)
        epoch = self.step / self.steps_of_epoch
        point = curve_point(self.step, epoch, training_loss, logits, self.validation.labels)
        if self.test is not None:
            point = with_test_scores(
                point, predict_logits(self.module, self.test, self.device, self.bf16), self.test.labels
            )
        self.curve.append(point)
        if self.best is None or _score(point) > _score(self.best.point):
            weights = {name: weight.detach().clone() for name, weight in self.trainable.items()}
            self.best = _Best(point, weights)

    def _step(self, rows: np.ndarray) -> float:
        """One optimiser step; the mean loss of the batch, in nats. A loss that is not finite moves no weight."""
        while True:
            parts = np.array_split(rows, min(self.accumulation, len(rows)))
            try:
                return self._step_in_parts(parts)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self.optimiser.zero_grad(set_to_none=True)
                if not self.params.halve_on_oom or len(parts[0]) == 1:
                    raise BenchError(self._out_of_memory(parts)) from error
            self.accumulation *= 2
            self.notes.append(
                f"memory ran out with {len(parts[0])} texts at once at step {self.step + 1}: "
                f"each step is computed in {self.accumulation} parts from there on"
            )

    def _step_in_parts(self, parts: list[np.ndarray]) -> float:
        total = 0.0
        size = sum(map(len, parts))
        for part in parts:
            input_ids, attention_mask, labels = self.train.batch(part, self.device)
            with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
                soft = self.train.soft_targets(part, self.device)
                taught = () if soft is None else (soft,)
                loss = self.objective(self.module, input_ids, attention_mask, labels, *taught) / size
            total += loss.item()
            if not math.isfinite(total):
                return total
            loss.backward()
        nn.utils.clip_grad_norm_(self.trainable.values(), self.params.max_grad_norm)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return total

    def _out_of_memory(self, parts: list[np.ndarray]) -> str:
        longest = max(int(self.train.lengths[part].max()) for part in parts)
        if len(parts[0]) == 1:
            advice = "set a smaller max_length, or take a smaller base model"
        elif self.params.contrastive:
            advice = "set a smaller batch_size: a contrastive loss cannot be computed in parts"
        else:
            advice = f"set accumulation = {2 * self.accumulation} (the step stays the same) or halve_on_oom = true"
        return (
            f"out of memory in training with {len(parts[0])} texts of up to {longest} tokens at once "
            f"(batch_size {self.params.batch_size}, accumulation {self.accumulation}); {advice}"
        )

    def outcome(self) -> LoopOutcome:
        """Put the best weights back and say what was done."""
        if self.best is None:
            raise BenchError(
                f"training failed: {self.notes[0]}; lower the learning rate ({self.params.learning_rate:g})"
            )
        with torch.no_grad():
            for name, weight in self.trainable.items():
                weight.copy_(self.best.weights[name])
        self.module.eval()
        return LoopOutcome(
            fit_s=self.fit_s,
            evaluate_s=self.evaluate_s,
            steps=self.step,
            chosen_step=self.best.point.step,
            epochs=self.step / self.steps_of_epoch,
            precision="bf16 autocast" if self.bf16 else "fp32",
            curve=tuple(self.curve),
            notes=tuple(self.notes),
        )

    def state(self) -> dict[str, Any]:
        """Everything that the steps to come depend on."""
        best = self.best
        return {
            "step": self.step,
            "accumulation": self.accumulation,
            "weights": {name: weight.detach() for name, weight in self.trainable.items()},
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "random": torch.get_rng_state(),
            "module_random": _module_random(self.module),
            "best": best and {"at": best.point.step, "weights": best.weights},
            "curve": [point.model_dump() for point in self.curve],
            "notes": list(self.notes),
            "seconds": [self.fit_s, self.evaluate_s],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.step, self.accumulation = state["step"], state["accumulation"]
        with torch.no_grad():
            for name, weight in self.trainable.items():
                weight.copy_(state["weights"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        _set_module_random(self.module, state["module_random"])
        self.curve = [CurvePoint(**point) for point in state["curve"]]
        self.notes = [*state["notes"], f"interrupted; went on from step {self.step}"]
        self.fit_s, self.evaluate_s = state["seconds"]
        if state["best"]:
            point = next(point for point in self.curve if point.step == state["best"]["at"])
            self.best = _Best(point, state["best"]["weights"])

    def count_lost_work(self, spent_s: float) -> None:
        """Steps that were done and not kept have cost their time all the same."""
        lost_s = spent_s - self.fit_s
        if lost_s > 0:
            self.fit_s = spent_s
            self.notes.append(f"an interruption lost {lost_s:.1f} s of steps; they count as training time")


def _module_random(module: nn.Module) -> list[int] | None:
    """The state of a module's own random numbers, where it has some."""
    random = getattr(module, "random", None)
    return None if random is None else random.state()


def _set_module_random(module: nn.Module, state: list[int] | None) -> None:
    if state is not None:
        module.random.set_state(state)  # type: ignore[operator, union-attr]


def _endless(lengths: np.ndarray, batch_size: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    while True:
        yield from grouped_batches(lengths, batch_size, generator)


def _score(point: CurvePoint) -> tuple[float, float]:
    return (point.f1, -(point.validation_loss or 0.0))


def _stale(curve: list[CurvePoint], best: CurvePoint, patience: int | None) -> bool:
    return patience is not None and sum(point.step > best.step for point in curve) >= patience
