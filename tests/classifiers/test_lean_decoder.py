"""The lean body of a decoder gives transformers' states and gradients, with and without adapters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import tiny_bert, tiny_gpt2, tiny_llama, tiny_qwen3
from torch import nn
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from bench.classifiers.adapters import add_adapter
from bench.classifiers.lean_decoder import LeanDecoder, can_decode
from bench.classifiers.option_scoring import OptionsModule
from bench.classifiers.pretrained import load_pretrained, load_with_new_head
from bench.classifiers.sequence import SequenceModule
from bench.text.batching import pad
from bench.types import BaseWeights
from trainers.cpu.byte_dropout import ByteDropout
from trainers.cpu.lean_decoder import _Projection, train_lean

pytestmark = pytest.mark.kernels

TARGETS = ["q_proj", "k_proj", "v_proj"]
ADAPTERS: dict[str, dict[str, Any] | None] = {
    "full": None,
    "lora": {"kind": "lora", "r": 2, "alpha": 4, "dropout": 0.0, "targets": TARGETS},
    "lora on all": {"kind": "lora", "r": 2, "alpha": 4, "dropout": 0.0, "targets": [*TARGETS, "o_proj", "up_proj"]},
    "virtual tokens": {"kind": "virtual-tokens", "count": 3},
    "prefix": {"kind": "prefix", "count": 3},
}
LABELS = torch.tensor([0, 1, 2, 1])
MODELS = pytest.mark.parametrize("make", [tiny_llama, tiny_qwen3], ids=["llama", "qwen3"])


def batch(lengths: tuple[int, ...] = (7, 3, 1, 12), start: tuple[int, ...] = ()) -> tuple[torch.Tensor, torch.Tensor]:
    generator = np.random.default_rng(0)
    ids = [[*start, *generator.integers(5, 20, size=length).tolist()] for length in lengths]
    input_ids, attention_mask = pad(ids, np.arange(len(ids)), 0)
    return torch.from_numpy(input_ids), torch.from_numpy(attention_mask)


def use_lean(module: SequenceModule | OptionsModule) -> None:
    """In float32, whatever this machine computes fast."""
    random = ByteDropout(0)
    body = module.model.base_model
    module.use_body(LeanDecoder(body, lambda layers: _Projection(layers, torch.float32, random), torch.float32))


def gradients(module: nn.Module, loss: torch.Tensor) -> dict[str, torch.Tensor | None]:
    module.zero_grad(set_to_none=True)
    loss.backward()
    return {name: weight.grad for name, weight in module.named_parameters() if weight.requires_grad}


def assert_same_training(module: Any, loss: Callable[[], torch.Tensor]) -> None:
    """The loss and every gradient, computed by transformers' body and by the lean one."""
    plain = loss()
    expected = gradients(module, plain)
    use_lean(module)
    lean = loss()
    torch.testing.assert_close(lean, plain, rtol=1e-5, atol=1e-6)
    found = gradients(module, lean)
    moved = 0
    for name, gradient in expected.items():
        if gradient is not None:
            moved += 1
            torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=2e-6, msg=name)
    assert moved > 1


@MODELS
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_classifier_trains_as_through_transformers(
    tmp_path: Path, make: Callable[[Path], BaseWeights], adapter: str
) -> None:
    torch.manual_seed(0)
    model = load_with_new_head(AutoModelForSequenceClassification, make(tmp_path).path, num_labels=3)[0]
    settings = ADAPTERS[adapter]
    module = add_adapter(model, settings) if settings else SequenceModule(model)
    model.score.requires_grad_(True)
    for name, weight in module.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight, std=0.1)
    assert_same_training(module.eval(), lambda: nn.functional.cross_entropy(module(*batch()), LABELS))


@MODELS
def test_options_of_several_tokens_are_scored_as_through_transformers(
    tmp_path: Path, make: Callable[[Path], BaseWeights]
) -> None:
    prefix = tuple(range(5, 15))
    model = load_pretrained(AutoModelForCausalLM, make(tmp_path).path)
    module = OptionsModule(model, [[5], [6, 7], [6, 8, 9]], "sum", prefix_ids=prefix).eval()
    with torch.no_grad():
        for start in ((), prefix):
            expected = module(*batch(start=start))
            use_lean(module)
            module._prefix.clear()
            torch.testing.assert_close(module(*batch(start=start)), expected, rtol=1e-5, atol=1e-5)
            module.use_body(None)
            module._prefix.clear()


def test_answers_are_trained_as_through_transformers(tmp_path: Path) -> None:
    model = load_pretrained(AutoModelForCausalLM, tiny_llama(tmp_path).path)
    module = OptionsModule(model, [[5], [6, 7], [6, 8, 9]], "sum")
    assert_same_training(module.train(), lambda: -module(*batch()).gather(1, LABELS.unsqueeze(1)).sum())


def test_dropout_is_on_the_adapters_way_alone_and_repeats_with_its_state(tmp_path: Path) -> None:
    model = load_with_new_head(AutoModelForSequenceClassification, tiny_llama(tmp_path).path, num_labels=3)[0]
    module = add_adapter(model, {"kind": "lora", "r": 2, "alpha": 4, "dropout": 0.5, "targets": TARGETS})
    without = module.eval()(*batch())
    train_lean(module, "cpu")
    state = module.random.state()
    # B starts at zero, so what dropout does shows only once it has moved
    torch.testing.assert_close(module.train()(*batch()), without, rtol=2e-2, atol=2e-2)
    for name, weight in module.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight)
    module.random.set_state(state)
    first, second = module(*batch()), module(*batch())
    assert not torch.equal(first, second)
    module.random.set_state(state)
    assert torch.equal(module(*batch()), first)


@pytest.mark.parametrize("make", [tiny_gpt2, tiny_bert], ids=["gpt2", "bert"])
def test_other_families_keep_their_own_body(tmp_path: Path, make: Callable[[Path], BaseWeights]) -> None:
    model = load_with_new_head(AutoModelForSequenceClassification, make(tmp_path).path, num_labels=3)[0]
    assert not can_decode(model.base_model)
    module = SequenceModule(model)
    train_lean(module, "cpu")
    assert module.body is model.base_model


def test_a_model_with_bottlenecks_keeps_its_own_body(tmp_path: Path) -> None:
    model = load_with_new_head(AutoModelForSequenceClassification, tiny_llama(tmp_path).path, num_labels=3)[0]
    module = add_adapter(model, {"kind": "bottleneck", "width": 4})
    train_lean(module, "cpu")
    assert module.body is model.base_model
