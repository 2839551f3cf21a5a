"""Says what the loop is asked for and what it did."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, model_validator

from bench.types import CurvePoint
from trainers.loop.losses import LossParams
from trainers.loop.optimisers import OptimiserParams


class LoopParams(LossParams, OptimiserParams):
    """Hyperparameters of the loop; `batch_size` is that of an optimiser step, computed in `accumulation` parts.

    With fewer than `min_steps` steps in the epochs asked for, there are as many epochs as it takes. halve_on_oom: when
    memory runs out, compute each step in twice as many parts and go on; the step stays the same.
    """

    epochs: int = Field(default=3, ge=1)
    min_steps: int = Field(default=0, ge=0)
    batch_size: int = Field(default=32, ge=1)
    accumulation: int = Field(default=1, ge=1)
    max_grad_norm: float = 1.0
    evaluations: int = Field(default=8, ge=1)
    patience: int | None = None
    halve_on_oom: bool = False

    @model_validator(mode="after")
    def _a_contrast_is_computed_whole(self) -> LoopParams:
        """A contrastive loss compares every text of a step with every other: in parts it is another loss."""
        if self.contrastive and (self.accumulation > 1 or self.halve_on_oom):
            raise ValueError(
                "a contrastive loss compares all texts of a step, so a step cannot be computed in parts: "
                "leave accumulation and halve_on_oom out and set a smaller batch_size"
            )
        return self


@dataclass(frozen=True)
class LoopOutcome:
    """What the loop did; the module it was given holds the weights of `chosen_step`.

    fit_s: seconds of all steps, since the choice among checkpoints takes them all, and of work that an interruption
    lost; without evaluations.
    """

    fit_s: float
    evaluate_s: float
    steps: int
    chosen_step: int
    epochs: float
    precision: str
    curve: tuple[CurvePoint, ...]
    notes: tuple[str, ...]
