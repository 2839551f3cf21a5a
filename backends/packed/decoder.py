"""Computes Llama-like decoders on a CPU: the lean body with prepacked products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from backends.packed.linear import PackedLinear
from bench.classifiers.lean_decoder import FAMILIES, LeanDecoder, can_decode
from bench.errors import NotAvailable


def exchange_body(module: Any) -> Any:
    """Let a classifier of a decoder compute through the lean body; raises NotAvailable for another family."""
    body = module.model.base_model
    if not can_decode(body):
        raise NotAvailable(
            f"packed serves plain decoders of the families {', '.join(sorted(FAMILIES))}, not {body.config.model_type}"
        )
    module.use_body(LeanDecoder(body, _project, body.embed_tokens.weight.dtype))
    return module


def _project(layers: Sequence[Any]) -> Callable[[Tensor], tuple[Tensor, ...]]:
    sizes = [layer.out_features for layer in layers]
    packed = PackedLinear(*((layer.weight, layer.bias) for layer in layers))

    def project(states: Tensor) -> tuple[Tensor, ...]:
        return packed(states).split(sizes, dim=-1)

    return project
