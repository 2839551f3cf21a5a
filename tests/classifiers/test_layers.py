"""Option scoring equals one answer at a time whatever a decoder's layers make of a mask, and says which they honour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM

from bench.classifiers.generation import Generator
from bench.classifiers.layers import MASKED, honours_tree, ignores_padding
from bench.classifiers.option_scoring import OptionsModule
from bench.errors import NotAvailable

TINY = {
    "vocab_size": 80,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
ROWS = [[2, 5, 9, 3], [2, 7, 3], [2, 11, 12, 13, 14, 15, 16, 17, 3], [2, 0, 3]]
ANSWERS = [[20], [21, 22], [21, 23, 24]]
LONGEST = 11  # the longest row and all but the last token of the longest answer
PREFIX = [2, *range(30, 40)]

HYBRID = {"layer_types": ["linear_attention", "full_attention"]}
WINDOWS: dict[str, dict[str, Any]] = {
    "mistral": {"sliding_window": 4},
    "qwen2": {"sliding_window": 4, "use_sliding_window": True, "max_window_layers": 0},
    "qwen3": {"sliding_window": 4, "use_sliding_window": True, "max_window_layers": 1},
    "gemma2": {"sliding_window": 4, "query_pre_attn_scalar": 8},
    "gemma3_text": {"sliding_window": 4, "query_pre_attn_scalar": 8},
    "phi3": {"sliding_window": 4},
    "gpt_neo": {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]], "window_size": 4},
}
RECURRENT: dict[str, dict[str, Any]] = {
    "mamba": {},
    "mamba2": {"num_heads": 8, "head_dim": 8, "expand": 2, "state_size": 8, "n_groups": 1},
    "rwkv": {"attention_hidden_size": 32},
    "recurrent_gemma": {"num_hidden_layers": 3, "attention_window_size": 4, "lru_width": 32},
    "qwen3_5_text": HYBRID,
    "qwen3_next": HYBRID | {"num_experts": 2, "num_experts_per_tok": 1, "moe_intermediate_size": 16},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "falcon_h1": {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1},
}
OTHERS: dict[str, dict[str, Any]] = {"bloom": {}, "cohere": {}, "cohere2": {}}


def tiny(kind: str, **changes: Any) -> Any:
    """A language model of two tiny layers with random weights."""
    torch.manual_seed(0)
    known = CONFIG_MAPPING[kind]()
    wanted = {name: value for name, value in TINY.items() if hasattr(known, name) or name in known.attribute_map}
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **(wanted | changes))).eval()


def one_by_one(model: Any, prompt: Sequence[int], answer: Sequence[int]) -> float:
    """The definition: the whole sequence through the whole model."""
    with torch.inference_mode():
        scores = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].float().log_softmax(-1)
    return sum(float(scores[len(prompt) - 1 + at, token]) for at, token in enumerate(answer))


def largest_difference(
    model: Any, answers: Sequence[Sequence[int]], longest: int | None, prefix: Sequence[int]
) -> float:
    module = OptionsModule(model, answers, "sum", None, prefix, longest).eval()
    rows = [[*prefix, *row] for row in ROWS]
    width = max(map(len, rows)) + 2
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    with torch.inference_mode():
        found = module(ids, mask).numpy()
    expected = np.array([[one_by_one(model, row, answer) for answer in answers] for row in rows])
    return float(np.abs(found - expected).max())


@pytest.mark.parametrize("answers", [ANSWERS, [[20], [21], [22]]], ids=["long", "short"])
@pytest.mark.parametrize("prefix", [(), PREFIX], ids=["no prefix", "prefix"])
@pytest.mark.parametrize("kind", sorted(MASKED))
def test_families_that_honour_the_mask_are_scored_in_one_pass(kind: str, prefix: list[int], answers: Any) -> None:
    model = tiny(kind)
    assert honours_tree(model.config, 40)
    OptionsModule(model, answers, "sum").check_outputs()
    assert largest_difference(model, answers, 40, prefix) < 1e-4


@pytest.mark.parametrize("prefix", [(), PREFIX], ids=["no prefix", "prefix"])
@pytest.mark.parametrize("answers", [ANSWERS, [[20], [21], [22]]], ids=["long", "short"])
@pytest.mark.parametrize("kind", [*WINDOWS, *RECURRENT, *OTHERS])
def test_layers_that_do_not_are_scored_one_by_one(kind: str, answers: Any, prefix: list[int]) -> None:
    model = tiny(kind, **(WINDOWS | RECURRENT | OTHERS)[kind])
    longest = LONGEST + len(prefix)
    assert not honours_tree(model.config, longest)
    assert largest_difference(model, answers, longest, prefix) < 1e-3


@pytest.mark.parametrize("kind", ["mistral", "qwen3", "gemma2"])
def test_the_tree_would_have_been_wrong_there(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.classifiers.option_scoring.honours_tree", lambda *_: True)
    assert largest_difference(tiny(kind, **WINDOWS[kind]), ANSWERS, LONGEST, ()) > 1e-2


@pytest.mark.parametrize(("window", "fits"), [(LONGEST, True), (LONGEST - 1, False), (None, True)])
def test_a_window_as_long_as_prompt_and_answers_honours_the_tree(window: int | None, fits: bool) -> None:
    model = tiny("mistral", sliding_window=window)
    assert honours_tree(model.config, LONGEST) is fits
    assert honours_tree(model.config, None) is (window is None)
    assert largest_difference(model, ANSWERS, LONGEST, ()) < 1e-4


def test_an_output_layer_that_something_follows_is_known_or_refused() -> None:
    for kind in ("gemma2", "cohere", "granite", "recurrent_gemma"):
        changes = {"logits_scaling": 3.0} if kind == "granite" else RECURRENT.get(kind, {})
        model = tiny(kind, **changes)
        OptionsModule(model, ANSWERS, "sum").check_outputs()
    scoring = OptionsModule(tiny("llama"), ANSWERS, "sum")
    scoring.scale = 2.0
    with pytest.raises(NotAvailable, match="does not know what LlamaForCausalLM does behind its output layer"):
        scoring.check_outputs()


@pytest.mark.parametrize("kind", ["mamba", "rwkv", "qwen3"])
def test_prompts_of_several_lengths_are_continued_as_each_alone(kind: str) -> None:
    generator = Generator.__new__(Generator)
    generator.model, generator.device = tiny(kind), "cpu"
    assert ignores_padding(generator.model.config) is (kind == "qwen3")
    together = generator.continuations(ROWS, 5, [])
    assert together == [generator.continuations([row], 5, [])[0] for row in ROWS]
    assert {len(written) for written in together} == {5}
