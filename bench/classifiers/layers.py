"""Tells from a config what a decoder's layers make of a mask: who sees whom, and how far."""

from __future__ import annotations

from typing import Any

# Decoders whose layers take a mask (b, 1, t, t) of who sees whom and position ids; tests compare each with one by one.
MASKED = frozenset(
    {
        *("arcee", "gemma", "gemma2", "gemma3_text", "glm", "glm4", "gpt2", "gpt_neox", "gpt_oss", "granite", "helium"),
        *("llama", "ministral3", "mistral", "mixtral", "olmo", "olmo2", "olmo3", "opt", "phi", "phi3", "qwen2"),
        *("qwen2_moe", "qwen3", "qwen3_moe", "smollm3", "stablelm", "starcoder2"),
    }
)
ATTENTION = frozenset({"full_attention", "sliding_attention"})


def honours_tree(config: Any, longest: int | None) -> bool:
    """Whether every layer honours a mask of who sees whom over `longest` tokens (None: of any length).

    Not so: recurrent layers (Mamba, RWKV, linear attention and hybrids of them), which take no such mask; windows
    shorter than the prompt, which the mask would widen; and every family that no test has compared.
    """
    text = config.get_text_config()
    if text.model_type not in MASKED or not layer_kinds(text) <= ATTENTION:
        return False
    window = shortest_window(text)
    return window is None or (longest is not None and longest <= window)


def ignores_padding(config: Any) -> bool:
    """Whether a batch padded on the left changes nothing: attention is masked there, a recurrent state reads on."""
    text = config.get_text_config()
    return text.model_type in MASKED and layer_kinds(text) <= ATTENTION


def layer_kinds(text: Any) -> set[str]:
    """What kinds of layers the config lists; those of a plain decoder where it lists none."""
    return set(getattr(text, "layer_types", None) or ("full_attention",))


def shortest_window(text: Any) -> int | None:
    """Tokens that a layer with a sliding window sees; None where every layer sees all."""
    listed = getattr(text, "layer_types", None)
    window = getattr(text, "sliding_window", None)
    slides = "sliding_attention" in listed if listed else getattr(text, "use_sliding_window", True)
    return int(window) if window and slides else None
