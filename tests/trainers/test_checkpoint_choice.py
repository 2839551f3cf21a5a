"""Which checkpoint a training keeps, and the learning rate on the way there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import no_progress
from tiny_trainings import split_of
from torch import nn

from bench.types import Workplace
from trainers.loop.batches import TokenisedSplit
from trainers.loop.loop import LoopParams, train_module
from trainers.loop.optimisers import OptimiserParams, share_of_rate

HERE = Workplace("cpu", 1, Path("unused"))


class Planned(nn.Module):
    """Learns something at each step, and scores on validation as planned: so many right answers at each look."""

    def __init__(self, right: list[int], labels: torch.Tensor) -> None:
        super().__init__()
        self.head = nn.Linear(1, 2)
        self.right, self.labels = right, labels
        self.seen: list[torch.Tensor] = []

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits = self.head(input_ids.float().mean(dim=1, keepdim=True))
        if self.training:
            return logits
        right = self.right[min(len(self.seen), len(self.right) - 1)]
        self.seen.append(self.head.weight.detach().clone())
        answers = torch.where(torch.arange(len(self.labels)) < right, self.labels, 1 - self.labels)
        return nn.functional.one_hot(answers, 2).float() * 4


@pytest.mark.parametrize(
    ("right", "chosen"),
    [([2, 6, 4, 3], 1), ([6, 2, 4, 3], 0), ([2, 3, 4, 6], 3), ([2, 6, 6, 6], 1), ([4, 4, 4, 4], 0)],
)
def test_the_best_weights_are_put_back_and_of_equal_ones_the_earlier(right: list[int], chosen: int) -> None:
    validation = TokenisedSplit([[1, 2]] * 8, np.full(8, 2), np.arange(8) % 2, pad_id=0)
    module = Planned(right, torch.as_tensor(validation.labels))
    params = LoopParams(epochs=4, batch_size=8, evaluations=4, learning_rate=0.1)
    outcome = train_module(module, split_of(32), validation, params, 0, HERE, no_progress)
    assert [point.step for point in outcome.curve] == [4, 8, 12, 16]
    assert outcome.chosen_step == outcome.curve[chosen].step
    assert torch.equal(module.head.weight, module.seen[chosen])
    assert not any(torch.equal(module.seen[chosen], each) for at, each in enumerate(module.seen) if at != chosen)


def test_the_rate_rises_over_the_warm_up_and_falls_as_the_schedule_says() -> None:
    def shares(schedule: str) -> list[float]:
        params = OptimiserParams(schedule=schedule, warmup_steps=4)  # type: ignore[arg-type]
        return [share_of_rate(step, 12, params) for step in (0, 1, 3, 4, 6, 8, 10, 12)]

    rising = [0.2, 0.4, 0.8]
    assert shares("constant") == pytest.approx([*rising, 1, 1, 1, 1, 1])
    assert shares("linear") == pytest.approx([*rising, 1, 0.75, 0.5, 0.25, 0])
    assert shares("cosine") == pytest.approx([*rising, 1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2, 0])


def test_a_share_of_the_steps_warms_up_unless_their_number_is_given() -> None:
    share = OptimiserParams(schedule="linear", warmup_share=0.5)
    assert [share_of_rate(step, 8, share) for step in (0, 3, 4, 6)] == pytest.approx([0.2, 0.8, 1, 0.5])
    longer = OptimiserParams(schedule="linear", warmup_steps=100)
    assert share_of_rate(7, 8, longer) == pytest.approx(8 / 9)
