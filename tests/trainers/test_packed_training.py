"""The packed forward pass of training gives transformers' logits and gradients, with and without adapters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import no_progress, tiny_bert, tiny_llama
from torch import nn
from transformers import AutoModelForSequenceClassification

from bench.classifiers.adapters import add_adapter
from bench.classifiers.pretrained import load_with_new_head
from bench.classifiers.sequence import SequenceModule
from bench.text.batching import pad
from bench.types import Workplace
from trainers.cpu.byte_dropout import ByteDropout
from trainers.cpu.read_rows import read_rows_only
from trainers.cpu.unpadded_bert import PackedBert, can_pack
from trainers.loop.batches import TokenisedSplit
from trainers.loop.loop import train_module
from trainers.loop.records import LoopParams

pytestmark = pytest.mark.kernels

HERE = Workplace("cpu", 2, Path("unused"))
LORA = {"kind": "lora", "r": 2, "alpha": 4, "dropout": 0.0, "targets": ["query", "key", "value"]}


@pytest.fixture()
def model(tmp_path: Path) -> nn.Module:
    torch.manual_seed(0)
    return load_with_new_head(AutoModelForSequenceClassification, tiny_bert(tmp_path).path, num_labels=3)[0]


def batch(lengths: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    generator = np.random.default_rng(0)
    return batch_of([generator.integers(5, 20, size=length).tolist() for length in lengths])


def batch_of(ids: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    input_ids, attention_mask = pad(ids, np.arange(len(ids)), 0)
    return torch.from_numpy(input_ids), torch.from_numpy(attention_mask)


@pytest.mark.parametrize("lengths", [(7, 3, 1, 12), (4, 4, 4), (1,)], ids=["ragged", "equal", "one token"])
def test_the_logits_are_those_of_transformers(model: nn.Module, lengths: tuple[int, ...]) -> None:
    expected = SequenceModule(model).eval()(*batch(lengths))
    torch.testing.assert_close(PackedBert(model).eval()(*batch(lengths)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("adapted", [False, True], ids=["full", "lora"])
def test_the_gradients_are_those_of_transformers(model: nn.Module, adapted: bool) -> None:
    if adapted:
        add_adapter(model, LORA)
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


def test_training_moves_the_rows_that_the_texts_read_and_no_others(model: nn.Module) -> None:
    module = PackedBert(model)
    before = model.bert.embeddings.word_embeddings.weight.detach().clone()
    ids = [[2, 7, 9, 3], [2, 11, 3], [2, 9, 3], [2, 7, 11, 3]]
    split = TokenisedSplit(ids, np.array([4, 3, 3, 4]), np.array([0, 1, 0, 1]), pad_id=0)
    expected = module.eval()(*batch_of(ids))
    with read_rows_only(module, split, split) as (train, validation, _):
        assert model.bert.embeddings.word_embeddings.num_embeddings == 5
        torch.testing.assert_close(module(*batch_of(train.ids)), expected)
        train_module(module, train, validation, LoopParams(epochs=2, batch_size=4), 0, HERE, no_progress)
        trained = module(*batch_of(train.ids))
    after = model.bert.embeddings.word_embeddings.weight
    read = [2, 3, 7, 9, 11]
    others = [row for row in range(len(before)) if row not in read]
    assert after.shape == before.shape
    assert torch.equal(after[others], before[others])
    assert all(not torch.equal(after[row], before[row]) for row in read)
    torch.testing.assert_close(module(*batch_of(ids)), trained)


def test_a_frozen_table_is_left_alone(model: nn.Module) -> None:
    module = PackedBert(model)
    add_adapter(model, LORA)
    split = TokenisedSplit([[2, 3]], np.array([2]), np.array([0]), pad_id=0)
    with read_rows_only(module, split, split) as (train, validation, _):
        assert train is validation is split


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    dropped = ByteDropout(seed=1)(torch.ones(400, 500), 0.1)
    assert (dropped == 0).float().mean().item() == pytest.approx(26 / 256, abs=0.003)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.004)
    assert torch.equal(dropped, ByteDropout(seed=1)(torch.ones(400, 500), 0.1))


def test_no_dropout_leaves_the_values_alone() -> None:
    values = torch.ones(3)
    assert ByteDropout(seed=1)(values, 0.0) is values


def test_only_bert_is_packed(model: nn.Module, tmp_path: Path) -> None:
    decoder = load_with_new_head(AutoModelForSequenceClassification, tiny_llama(tmp_path / "llama").path, num_labels=3)[
        0
    ]
    assert can_pack(model)
    assert not can_pack(decoder)
