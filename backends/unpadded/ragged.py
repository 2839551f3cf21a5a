"""Lays texts of different lengths one after the other, without padding, and computes attention over them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

SHORTEST_GRID = 64  # tokens; the kernel's grid is as wide as the longest text, and fewer widths mean fewer graphs


@dataclass(frozen=True)
class Layout:
    """Where everything stands in the one int32 array that travels to the device, and the lengths the kernel asks for.

    tokens: all computed; texts: all laid out; keys: all that are looked at, those of a shared prefix included.
    """

    tokens: int
    texts: int
    keys: int
    longest: int
    longest_keys: int

    @property
    def sizes(self) -> tuple[int, ...]:
        return (self.tokens, self.tokens, self.texts, self.texts + 1, self.texts + 1, self.keys)


@dataclass(frozen=True)
class Ragged:
    """A batch on the device, all int32.

    ids, positions (t,); readers (b,): the token of each text whose state is read; starts, key_starts (b + 1,): where
    its tokens and its keys begin; keys_at (u,): the keys among those of the prefix and of all tokens, () without one.
    """

    ids: Tensor
    positions: Tensor
    readers: Tensor
    starts: Tensor
    key_starts: Tensor
    keys_at: Tensor
    layout: Layout

    @classmethod
    def of(cls, packed: Tensor, layout: Layout) -> Ragged:
        ids, positions, readers, starts, key_starts, keys_at = packed.split(list(layout.sizes))
        return cls(ids, positions, readers, starts, key_starts, keys_at, layout)


def lay_out(
    ids: Sequence[Sequence[int]],
    rows: np.ndarray,
    read: Literal["first", "last"],
    known: int = 0,
    fill: int = 0,
    fill_id: int = 0,
) -> tuple[np.ndarray, Layout]:
    """The chosen rows as one int32 array, and where everything stands in it.

    `known` tokens at the start of every row are a prefix whose keys and values are kept: they are not computed again.
    A text more of `fill` - t tokens, possibly none, makes the batch `fill` tokens long; nobody reads it.
    """
    texts = [np.asarray(ids[row][known:], dtype=np.int32) for row in rows]
    lengths = np.array([len(text) for text in texts], dtype=np.int32)
    if fill:
        texts.append(np.full(fill - int(lengths.sum()), fill_id, dtype=np.int32))
        lengths = np.append(lengths, len(texts[-1])).astype(np.int32)
    starts = np.concatenate([[0], lengths.cumsum()]).astype(np.int32)
    begins = np.repeat(starts[:-1], lengths)
    positions = np.arange(starts[-1], dtype=np.int32) - begins + known
    key_starts = starts + known * np.arange(len(starts), dtype=np.int32)
    keys_at = np.empty(0, dtype=np.int32)
    if known:
        keys_at = np.arange(key_starts[-1], dtype=np.int32) - np.repeat(key_starts[:-1], lengths + known)
        own = keys_at >= known
        keys_at[own] = known + np.arange(starts[-1], dtype=np.int32)
    readers = np.minimum(starts[:-1], starts[-1] - 1) if read == "first" else starts[1:] - 1
    longest = _grid(int(lengths.max()))
    layout = Layout(int(starts[-1]), len(lengths), len(keys_at), longest, _grid(longest + known) if known else longest)
    return np.concatenate([*texts, positions, readers, starts, key_starts, keys_at]).astype(np.int32), layout


def _grid(longest: int) -> int:
    """The next power of two."""
    return max(SHORTEST_GRID, 1 << (longest - 1).bit_length())


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    starts: Tensor,
    key_starts: Tensor,
    longest: int,
    longest_keys: int,
    scale: float,
    causal: bool,
) -> Tensor:
    """Attention within each text: query (t, heads, width), key and value (u, key heads, width) -> (t, heads, width).

    Causal: a text's last query sees its last key, so that keys before its first query are a prefix that all see.
    """
    if query.device.type == "cpu":
        return attend_on_cpu(query, key, value, starts, key_starts, scale, causal)
    from torch.nn.attention.varlen import varlen_attn

    window = (-1, 0) if causal else (-1, -1)
    grouped: dict[str, Any] = _group(varlen_attn) if query.shape[1] != key.shape[1] else {}
    lengths = (starts, key_starts, longest, longest_keys)
    attended: Any = varlen_attn(query, key, value, *lengths, scale=scale, window_size=window, **grouped)
    return cast(Tensor, attended)


def _group(function: Any) -> dict[str, bool]:
    """Newer versions want to be told that several query heads share a key head; torch 2.11 takes it from the shapes."""
    return {"enable_gqa": True} if "enable_gqa" in inspect.signature(function).parameters else {}


@torch.library.custom_op("bench::attend_on_cpu", mutates_args=())
def attend_on_cpu(
    query: Tensor, key: Tensor, value: Tensor, starts: Tensor, key_starts: Tensor, scale: float, causal: bool
) -> Tensor:
    """The same, text by text: what the kernel is checked against on machines without a GPU."""
    attended = torch.zeros(query.shape, dtype=query.dtype)
    edges = zip(starts.tolist(), starts.tolist()[1:], key_starts.tolist(), key_starts.tolist()[1:], strict=False)
    for begin, end, key_begin, key_end in edges:
        if begin == end or key_begin == key_end:
            continue
        heads = [query[begin:end], key[key_begin:key_end], value[key_begin:key_end]]
        one_query, one_key, one_value = (part.transpose(0, 1).unsqueeze(0) for part in heads)
        sight = None
        if causal:
            sight = torch.ones(end - begin, key_end - key_begin, dtype=torch.bool)
            sight = sight.tril(key_end - key_begin - (end - begin))
        one = functional.scaled_dot_product_attention(
            one_query, one_key, one_value, attn_mask=sight, scale=scale, enable_gqa=True
        )
        attended[begin:end] = one.squeeze(0).transpose(0, 1)
    return attended


@attend_on_cpu.register_fake
def _shape_of_attended(query: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(query, memory_format=torch.contiguous_format)
