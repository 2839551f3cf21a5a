"""The packed forward pass of training gives transformers' logits and gradients, with and without adapters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import tiny_bert, tiny_llama
from torch import nn
from transformers import AutoModelForSequenceClassification

from bench.batching import pad
from bench.modules import SequenceModule, load_pretrained
from trainers.lora import LoraParams, add_adapter
from trainers.packed_bert import ByteDropout, PackedBert, can_pack


@pytest.fixture()
def model(tmp_path: Path) -> nn.Module:
    torch.manual_seed(0)
    return load_pretrained(AutoModelForSequenceClassification, tiny_bert(tmp_path).path, num_labels=3)


def batch(lengths: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    generator = np.random.default_rng(0)
    ids = [generator.integers(5, 20, size=length).tolist() for length in lengths]
    input_ids, attention_mask = pad(ids, np.arange(len(ids)), 0)
    return torch.from_numpy(input_ids), torch.from_numpy(attention_mask)


@pytest.mark.parametrize("lengths", [(7, 3, 1, 12), (4, 4, 4), (1,)], ids=["ragged", "equal", "one token"])
def test_the_logits_are_those_of_transformers(model: nn.Module, lengths: tuple[int, ...]) -> None:
    expected = SequenceModule(model).eval()(*batch(lengths))
    torch.testing.assert_close(PackedBert(model).eval()(*batch(lengths)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("adapted", [False, True], ids=["full", "lora"])
def test_the_gradients_are_those_of_transformers(model: nn.Module, adapted: bool) -> None:
    if adapted:
        add_adapter(model, LoraParams(r=2))
    gradients = []
    for module in (SequenceModule(model).eval(), PackedBert(model).eval()):
        module.zero_grad(set_to_none=True)
        logits = module(*batch((7, 3, 1, 12)))
        nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 1])).backward()
        gradients.append({name: weight.grad for name, weight in module.named_parameters() if weight.requires_grad})
    expected, packed = gradients
    assert expected.keys() == packed.keys()
    assert sum("lora_" in name for name in packed) == (0 if not adapted else 2 * 3 * model.config.num_hidden_layers)
    for name, gradient in expected.items():
        if gradient is not None:
            torch.testing.assert_close(packed[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    dropped = ByteDropout(seed=1)(torch.ones(400, 500), 0.1)
    assert (dropped == 0).float().mean().item() == pytest.approx(26 / 256, abs=0.003)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.004)
    assert torch.equal(dropped, ByteDropout(seed=1)(torch.ones(400, 500), 0.1))


def test_no_dropout_leaves_the_values_alone() -> None:
    values = torch.ones(3)
    assert ByteDropout(seed=1)(values, 0.0) is values


def test_only_bert_is_packed(model: nn.Module, tmp_path: Path) -> None:
    decoder = load_pretrained(AutoModelForSequenceClassification, tiny_llama(tmp_path / "llama").path, num_labels=3)
    assert can_pack(model)
    assert not can_pack(decoder)
