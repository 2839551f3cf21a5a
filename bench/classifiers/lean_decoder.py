"""Computes Llama-like decoders in fewer steps than transformers takes on a CPU: the same weights, the same answers.

- several linear layers with one input are one product (`Project`), with weights laid out once;
- normalisation and the gated unit are one operation each, forwards and backwards, and keep little for the latter;
- groups of query heads read their keys and values without copies of them;
- the stream between layers stays float32, whatever the products are computed in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

# One input, several linear layers, their outputs: called with the layers of a model, once each.
Layers = Sequence[nn.Module]
Project = Callable[[Layers], Callable[[Tensor], tuple[Tensor, ...]]]

FAMILIES = frozenset({"llama", "mistral", "qwen2", "qwen3"})


def can_decode(body: Any) -> bool:
    """Whether this is a model that LeanDecoder computes: a known family, every layer of the plain kind."""
    config = getattr(body, "config", None)
    if config is None or config.model_type not in FAMILIES or not hasattr(body, "embed_tokens"):
        return False
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    plain = kinds == {"full_attention"} and not (config.model_type == "mistral" and config.sliding_window)
    hooked = any(layer._forward_hooks for layer in body.layers)
    return plain and config.hidden_act == "silu" and not config.attention_dropout and not hooked


@dataclass(frozen=True)
class Decoded:
    """Hidden states (b, t, d) in the weights' precision, and the cache of keys and values where there is one."""

    last_hidden_state: Tensor
    past_key_values: Any


class LeanDecoder:
    """Stands in for the body of a model that it shares its weights with; call it as transformers' body is called.

    Padding must be on the right: a decoder's real tokens never see it there, so a mask (b, t) needs no work. Another
    mask is a bias (b, 1, t, past + t) that is added to the scores. `dtype` is that of the products.
    """

    def __init__(self, body: Any, project: Project, dtype: torch.dtype) -> None:
        self.body = body
        self.dtype = dtype
        self.layers = [_Layer(layer, body.config, project) for layer in body.layers]

    def __call__(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool = False,
    ) -> Decoded:
        """The states of input_ids or inputs_embeds; keys and values too with `use_cache`."""
        from transformers import DynamicCache

        read = self.body.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        hidden = read.float()
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        if position_ids is None:
            position_ids = torch.arange(past, past + hidden.shape[1], device=hidden.device).unsqueeze(0)
        turns = self.body.rotary_emb(hidden, position_ids)
        bias = attention_mask if attention_mask is not None and attention_mask.dim() == 4 else None
        if bias is None:
            bias = _causal(hidden.shape[1], past, hidden.device)
        cache = DynamicCache() if use_cache and past_key_values is None else past_key_values
        for number, layer in enumerate(self.layers):
            hidden = layer(hidden, turns, bias.float(), cache, number, self.dtype)
        norm = self.body.norm
        hidden = _normalise(norm, hidden, norm.weight.dtype)
        return Decoded(hidden, cache)


class _Layer:
    """One block: attention and the gated unit, each with its normalisation before it."""

    def __init__(self, layer: Any, config: Any, project: Project) -> None:
        attention, unit = layer.self_attn, layer.mlp
        self.before_attention, self.before_unit = layer.input_layernorm, layer.post_attention_layernorm
        self.query_norm, self.key_norm = (getattr(attention, name, None) for name in ("q_norm", "k_norm"))
        self.read = project((attention.q_proj, attention.k_proj, attention.v_proj))
        self.attended = project((attention.o_proj,))
        self.gate_up = project((unit.gate_proj, unit.up_proj))
        self.down = project((unit.down_proj,))
        self.heads: int = config.num_key_value_heads
        self.width: int = attention.head_dim
        self.scale: float = attention.scaling

    def __call__(
        self, hidden: Tensor, turns: tuple[Tensor, Tensor], bias: Tensor, cache: Any, number: int, dtype: torch.dtype
    ) -> Tensor:
        query, key, value = self.read(_normalise(self.before_attention, hidden, dtype))
        query, key = self._by_head(query, self.query_norm), self._by_head(key, self.key_norm)
        query, key = _rotate(query, *turns, dtype), _rotate(key, *turns, dtype)
        value = self._by_head(value, None)
        if cache is not None:
            key, value = cache.update(key, value, number)
        (attended,) = self.attended(self._attend(query, key, value, bias))
        hidden = hidden + attended
        gate, up = self.gate_up(_normalise(self.before_unit, hidden, dtype))
        (down,) = self.down(_GatedUnit.apply(gate, up))
        return hidden + down

    def _by_head(self, states: Tensor, norm: Any) -> Tensor:
        """(b, t, heads * width) -> (b, heads, t, width)."""
        split = states.unflatten(-1, (-1, self.width))
        if norm is not None:
            split = _normalise(norm, split, states.dtype)
        return split.transpose(1, 2)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        """Queries of a group of heads stand one after the other, so that they read the same keys in one product."""
        batch, heads, length, width = query.shape
        groups = heads // self.heads
        query = (query * self.scale).reshape(batch, self.heads, groups * length, width)
        scores = (query @ key.transpose(-1, -2)).float().view(batch, self.heads, groups, length, -1)
        weights = (scores + bias.unsqueeze(2)).softmax(dim=-1).to(value.dtype)
        context = weights.view(batch, self.heads, groups * length, -1) @ value
        return context.view(batch, heads, length, width).transpose(1, 2).reshape(batch, length, heads * width)


def _causal(length: int, past: int, device: torch.device) -> Tensor:
    """Bias float32 (1, 1, length, past + length): a token sees those before it and itself."""
    hidden = torch.ones(length, past + length, dtype=torch.bool, device=device).triu(past + 1)
    return torch.zeros(hidden.shape, device=device).masked_fill(hidden, torch.finfo(torch.float32).min)[None, None]


def _normalise(norm: Any, states: Tensor, dtype: torch.dtype) -> Tensor:
    normalised: Tensor = _Norm.apply(states, norm.weight, norm.variance_epsilon, dtype)
    return normalised


def _rotate(states: Tensor, cosines: Tensor, sines: Tensor, dtype: torch.dtype) -> Tensor:
    """Rotary positions (Su et al. 2021) of (b, heads, t, width); cosines and sines (b, t, width)."""
    half = states.shape[-1] // 2
    cosines, sines = cosines[:, None, :, :half], sines[:, None, :, :half]
    turned: Tensor = _Turn.apply(states, cosines, sines, dtype)
    return turned


class _Norm(torch.autograd.Function):
    """Root mean square normalisation (Zhang and Sennrich 2019): x * w / sqrt(mean(x^2) + eps), computed in float32."""

    @staticmethod
    def forward(ctx: FunctionCtx, states: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
        scale = states.float().square().mean(dim=-1, keepdim=True).add_(epsilon).rsqrt_()
        ctx.save_for_backward(states, weight, scale)
        return (states * scale).mul_(weight).to(dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None, None]:
        states, weight, scale = ctx.saved_tensors
        gradient = gradient.float()
        scaled = states * scale
        of_weight = None
        if ctx.needs_input_grad[1]:
            of_weight = (gradient * scaled).flatten(0, -2).sum(dim=0)
        weighted = gradient * weight
        along = (weighted * scaled).mean(dim=-1, keepdim=True)
        return (weighted - scaled.mul_(along)).mul_(scale).to(states.dtype), of_weight, None, None


class _Turn(torch.autograd.Function):
    """Pairs (i, i + width / 2) turned by their angle; backwards by the angle's opposite."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, cosines: Tensor, sines: Tensor, dtype: torch.dtype) -> Tensor:
        ctx.save_for_backward(cosines, sines)
        ctx.dtype = states.dtype
        return _turn(states, cosines, sines).to(dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        cosines, sines = ctx.saved_tensors
        return _turn(gradient, cosines, -sines).to(ctx.dtype), None, None, None


def _turn(states: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    first, second = states.float().chunk(2, dim=-1)
    turned = torch.empty(states.shape, dtype=torch.float32, device=states.device)
    half = first.shape[-1]
    torch.mul(first, cosines, out=turned[..., :half]).addcmul_(second, sines, value=-1)
    torch.mul(second, cosines, out=turned[..., half:]).addcmul_(first, sines)
    return turned


class _GatedUnit(torch.autograd.Function):
    """silu(gate) * up (Shazeer 2020), in float32; keeps its inputs only and computes the rest again backwards."""

    @staticmethod
    def forward(ctx: FunctionCtx, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return nn.functional.silu(gate.float()).mul_(up).to(up.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        wide, gradient = gate.float(), gradient.float()
        share = wide.sigmoid()
        passed = wide * share
        of_up = gradient * passed
        # d silu / d gate = share * (1 + gate * (1 - share)) = share + passed * (1 - share)
        slope = passed.mul_(1 - share).add_(share)
        return gradient.mul_(up).mul_(slope).to(gate.dtype), of_up.to(up.dtype)
