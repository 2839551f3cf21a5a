"""Counted operations against torch's own counter, and limits that are measured once and kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_classifiers import CLASSIFIERS
from torch.utils.flop_counter import FlopCounterMode

from bench.speed import limits
from bench.speed.flops import Architecture, flops_per_text, read_architecture
from bench.speed.limits import machine_limits, measure_limits

K = 3


def counted_by_torch(model: Any, tokens: int) -> int:
    """Multiplications and additions of one text in a model with plain attention."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(input_ids=torch.ones(1, tokens, dtype=torch.long), attention_mask=torch.ones(1, tokens, dtype=torch.long))
    return counter.get_total_flops()


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "electra", "deberta-v2"])
@pytest.mark.parametrize("tokens", [7, 40])
def test_an_encoder_counts_as_torch_counts(family: str, tokens: int) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    if family == "distilbert":
        sizes: dict[str, Any] = {"dim": 32, "hidden_dim": 80, "n_layers": 3, "n_heads": 4}
    else:
        sizes = {"hidden_size": 32, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 4}
    if family == "electra":
        sizes["embedding_size"] = 32
    if family == "deberta-v2":
        sizes |= {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["c2p", "p2c"]}
        sizes |= {"share_att_key": True, "norm_rel_ebd": "layer_norm"}
    config = AutoConfig.for_model(family, vocab_size=50, num_labels=K, **sizes)
    model = AutoModelForSequenceClassification.from_config(config, attn_implementation="eager").eval()
    architecture = read_architecture(config.to_dict(), "sequence", K, {})
    assert architecture is not None
    own = float(architecture.flops(np.array([tokens]))[0])
    positions = 2 * 3 * 2 * 16 * 32 * 32 if family == "deberta-v2" else 0  # keys and queries of 16 positions, 3 layers
    assert own + positions == counted_by_torch(model, tokens)


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_a_decoder_counts_half_the_attention(family: str) -> None:
    """Torch multiplies the whole square of scores, half of which is masked away."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        family,
        vocab_size=50,
        hidden_size=32,
        intermediate_size=80,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    tokens, options = 20, {"label_token_ids": [[1], [2]]}
    architecture = read_architecture(config.to_dict(), "options", 2, options)
    assert architecture is not None
    whole = replace(architecture, causal=False)
    head_of_one, head_of_all = 2 * 32 * 50, 2 * 32 * 50 * tokens
    own = float(whole.flops(np.array([tokens]))[0]) - head_of_one + head_of_all
    assert own == counted_by_torch(model, tokens)
    halved = whole.flops(np.array([tokens])) - architecture.flops(np.array([tokens]))
    assert halved == 3 * 4 * 16 * (4 * tokens**2 - 2 * tokens * (tokens + 1))


def test_branches_cost_more_and_a_kept_prefix_less() -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 32,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 50,
    }

    def flops(**settings: Any) -> float:
        architecture = read_architecture(config, "options", 2, {"label_token_ids": [[1], [2]], **settings})
        assert architecture is not None
        return float(architecture.flops(np.array([30]))[0])

    assert flops(label_token_ids=[[1, 5], [2, 6]]) > flops() > flops(prefix_ids=list(range(10)))
    assert flops(prefix_ids=[1, 2, 3]) == flops(), "so short a prefix is not kept"


def test_what_is_not_counted_has_no_figure(tmp_path: Path) -> None:
    assert read_architecture({"model_type": "mamba"}, "sequence", K, {}) is None
    texts = ("about goal", "about stock market")
    linear = CLASSIFIERS["linear"](tmp_path / "linear")
    assert flops_per_text(linear, texts) is None
    sequence = CLASSIFIERS["sequence-bert"](tmp_path / "sequence")
    counted = flops_per_text(sequence, texts)
    assert counted is not None
    assert counted[0] > 0
    assert flops_per_text(sequence, ("about " * 15,))[0] > counted[0]  # type: ignore[index]


def test_limits_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIZE", 128)
    monkeypatch.setattr(limits, "MEASURE_S", 0.01)
    monkeypatch.setattr(limits, "COPIED_BYTES", 2**20)
    first = machine_limits("cpu", 1, "fp32", tmp_path)
    assert first.matmul_flops_per_s > 1e6
    assert first.memory_bytes_per_s > 1e6
    monkeypatch.setattr(limits, "measure_limits", None)
    assert machine_limits("cpu", 1, "fp32", tmp_path) == first
    faster = first.model_copy(update={"matmul_flops_per_s": 1e18, "memory_bytes_per_s": 1.0})
    monkeypatch.setattr(limits, "measure_limits", lambda *_: faster)
    again = machine_limits("cpu", 1, "fp32", tmp_path, reached_flops_per_s=2 * first.matmul_flops_per_s)
    assert (again.matmul_flops_per_s, again.memory_bytes_per_s) == (1e18, first.memory_bytes_per_s)
    [kept] = (tmp_path / "limits").iterdir()
    assert json.loads(kept.read_text())["precision"] == "fp32"
    kept.write_text("{")
    monkeypatch.setattr(limits, "measure_limits", measure_limits)
    assert machine_limits("cpu", 1, "fp32", tmp_path).precision == "fp32"


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_every_precision_has_a_limit(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIZE", 128)
    monkeypatch.setattr(limits, "MEASURE_S", 0.01)
    monkeypatch.setattr(limits, "COPIED_BYTES", 2**20)
    found = measure_limits("cpu", 1, precision)
    assert found.precision == precision
    assert found.matmul_library in ("torch", "onnxruntime")
    assert found.matmul_flops_per_s > 1e6


def test_a_kept_prefix_is_not_computed_again() -> None:
    """Of 10 tokens that see what came before, the last 6 are computed: they see 5 + ... + 10 = 45, not 55."""
    causal = Architecture(per_token=0, per_text=0, attention=1, causal=True, kept_tokens=4)
    assert causal.flops(np.array([10])).tolist() == [4 * 45]
    assert replace(causal, kept_tokens=0).flops(np.array([10])).tolist() == [4 * 55]
    weights = replace(causal, attention=0, per_token=3)
    assert weights.flops(np.array([10])).tolist() == [2 * 3 * 6]
    assert weights.flops(np.array([2])).tolist() == [0]
