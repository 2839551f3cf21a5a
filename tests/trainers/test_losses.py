"""The parts of the loss equal their formulas, add up as asked, and read what they claim to read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn
from torch.nn import functional

from trainers.loop.losses import LossParams, balanced_weights, make_objective, supervised_contrastive, symmetric_kl


class Headed(nn.Module):
    """A pooled vector and a linear head, as classification models have them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Linear(4, 6)
        self.classifier = nn.Linear(6, 3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.classifier(self.dropout(torch.tanh(self.body(input_ids.float()))))


def batch() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 9, (8, 4), generator=generator)
    return ids, torch.ones_like(ids), torch.tensor([0, 1, 2, 0, 1, 1, 0, 0])


def loss_of(params: LossParams, module: nn.Module, labels: np.ndarray | None = None) -> Tensor:
    ids, mask, target = batch()
    return make_objective(params, target.numpy() if labels is None else labels, 3)(module, ids, mask, target)


def test_without_parts_it_is_plain_cross_entropy() -> None:
    module = Headed().eval()
    ids, mask, target = batch()
    expected = functional.cross_entropy(module(ids, mask), target, reduction="sum")
    torch.testing.assert_close(loss_of(LossParams(), module), expected)


def test_balanced_weights_are_scikit_learns() -> None:
    labels = np.array([0] * 50 + [1] * 7 + [2] * 3)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(balanced_weights(labels, 3), expected, rtol=1e-6)
    assert balanced_weights(np.array([0, 0, 1]), 3)[2] == 0
    module = Headed().eval()
    ids, mask, target = batch()
    weighted = functional.cross_entropy(
        module(ids, mask), target, torch.tensor(expected, dtype=torch.float32), reduction="sum"
    )
    torch.testing.assert_close(loss_of(LossParams(class_weights="balanced"), module, labels), weighted)


def test_symmetric_kl_is_the_mean_of_both_directions() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 5, 3))
    p, q = softmax(first, axis=1), softmax(second, axis=1)
    log_p, log_q = log_softmax(first, axis=1), log_softmax(second, axis=1)
    expected = ((p * (log_p - log_q)).sum() + (q * (log_q - log_p)).sum()) / 2
    assert symmetric_kl(torch.tensor(first), torch.tensor(second)).item() == pytest.approx(expected)


def test_r_drop_needs_two_dropout_passes() -> None:
    calm, noisy = Headed().eval(), Headed().train()
    plain = loss_of(LossParams(), calm)
    torch.testing.assert_close(loss_of(LossParams(r_drop=5.0), calm), plain)
    torch.manual_seed(0)
    without = loss_of(LossParams(r_drop=1e-9), noisy)
    torch.manual_seed(0)
    assert loss_of(LossParams(r_drop=5.0), noisy) > without


def contrastive_by_hand(vectors: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """Khosla et al. 2020, equation 2, one anchor after the other."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    total = 0.0
    for anchor in range(len(labels)):
        others = [row for row in range(len(labels)) if row != anchor]
        positives = [row for row in others if labels[row] == labels[anchor]]
        scores = {row: unit[anchor] @ unit[row] / temperature for row in others}
        denominator = np.log(sum(np.exp(score) for score in scores.values()))
        if positives:
            total -= sum(scores[row] - denominator for row in positives) / len(positives)
    return total


def test_the_contrastive_loss_equals_its_formula_and_skips_the_lonely() -> None:
    vectors = np.random.default_rng(0).normal(size=(6, 4))
    labels = np.array([0, 0, 1, 1, 1, 2])
    ours = supervised_contrastive(torch.tensor(vectors), torch.tensor(labels), 0.3)
    assert ours.item() == pytest.approx(contrastive_by_hand(vectors, labels, 0.3), rel=1e-5)
    assert supervised_contrastive(torch.tensor(vectors[:2]), torch.tensor([0, 1]), 0.3).item() == 0


def test_contrast_is_on_the_pooled_vector_not_on_the_logits() -> None:
    module = Headed().eval()
    ids, _, target = batch()
    pooled = torch.tanh(module.body(ids.float()))
    expected = supervised_contrastive(pooled, target, 0.07)
    torch.testing.assert_close(loss_of(LossParams(contrastive=1.0), module), expected)
    loss_of(LossParams(contrastive=1.0), module).backward()
    assert module.classifier.weight.grad is None or not module.classifier.weight.grad.any()
    assert module.body.weight.grad.any()
    assert not module.classifier._forward_pre_hooks, "the hook must not stay"


def test_contrast_on_the_logits_where_a_recipe_says_so() -> None:
    module = Headed().eval()
    ids, mask, target = batch()
    expected = supervised_contrastive(module(ids, mask), target, 0.07)
    torch.testing.assert_close(loss_of(LossParams(contrastive=1.0, contrast_on="logits"), module), expected)
    loss_of(LossParams(contrastive=1.0, contrast_on="logits"), module).backward()
    assert module.classifier.weight.grad.any()


def test_smoothing_is_torchs() -> None:
    module = Headed().eval()
    ids, mask, target = batch()
    expected = functional.cross_entropy(module(ids, mask), target, reduction="sum", label_smoothing=0.1)
    torch.testing.assert_close(loss_of(LossParams(label_smoothing=0.1), module), expected)
