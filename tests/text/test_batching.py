"""Packing puts every row into exactly one batch within its limits, and padding loses nothing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.text.batching import Order, pack, pad

LENGTHS = st.lists(st.integers(1, 300), max_size=200).map(lambda lengths: np.array(lengths, dtype=np.int32))
ORDERS = st.sampled_from(["sorted", "given"])


@given(LENGTHS, st.integers(1, 1000), st.integers(1, 40), ORDERS)
def test_every_row_is_in_exactly_one_batch(
    lengths: np.ndarray, token_budget: int, max_batch: int, order: Order
) -> None:
    batches = pack(lengths, token_budget, max_batch, order)
    rows = np.concatenate([*batches, np.array([], dtype=int)])
    assert sorted(rows.tolist()) == list(range(len(lengths)))
    assert all(len(batch) for batch in batches)


@given(LENGTHS, st.integers(1, 1000), st.integers(1, 40), ORDERS)
def test_no_batch_is_over_its_limits(lengths: np.ndarray, token_budget: int, max_batch: int, order: Order) -> None:
    for batch in pack(lengths, token_budget, max_batch, order):
        assert len(batch) <= max_batch
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= token_budget


@given(LENGTHS, st.integers(1, 1000), st.integers(1, 40), ORDERS)
def test_a_batch_ends_only_where_it_must(lengths: np.ndarray, token_budget: int, max_batch: int, order: Order) -> None:
    batches = pack(lengths, token_budget, max_batch, order)
    for batch, following in pairwise(batches):
        joined = np.append(batch, following[0])
        assert len(joined) > max_batch or len(joined) * lengths[joined].max() > token_budget


@given(LENGTHS, st.integers(1, 1000), st.integers(1, 40))
def test_sorted_computes_no_more_padding_than_given(lengths: np.ndarray, token_budget: int, max_batch: int) -> None:
    rows = np.concatenate([*pack(lengths, token_budget, max_batch), np.array([], dtype=int)])
    assert (np.diff(lengths[rows]) <= 0).all()


def test_the_given_order_is_kept() -> None:
    batches = pack(np.array([5, 1, 9, 2]), token_budget=18, max_batch=2, order="given")
    assert [batch.tolist() for batch in batches] == [[0, 1], [2, 3]]


def test_equal_lengths_keep_their_order() -> None:
    assert np.concatenate(pack(np.array([3, 3, 3, 3]), 6, 8)).tolist() == [0, 1, 2, 3]


@given(
    st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=20), min_size=1, max_size=12),
    st.integers(1, 8),
    st.randoms(use_true_random=False),
)
def test_padding_is_on_the_right_and_the_mask_finds_every_token(ids: list[list[int]], multiple: int, random) -> None:
    rows = np.array(random.sample(range(len(ids)), k=random.randint(1, len(ids))))
    input_ids, attention_mask = pad(ids, rows, pad_id=7, multiple=multiple)
    assert input_ids.dtype == attention_mask.dtype == np.int64
    longest = max(len(ids[row]) for row in rows)
    assert input_ids.shape == attention_mask.shape
    assert longest <= input_ids.shape[1] < longest + multiple
    assert input_ids.shape[1] % multiple == 0
    for row, tokens, mask in zip(rows, input_ids, attention_mask, strict=True):
        assert tokens[mask == 1].tolist() == ids[row]
        assert (tokens[len(ids[row]) :] == 7).all()
        assert mask.tolist() == sorted(mask.tolist(), reverse=True)


@pytest.mark.parametrize("order", ["sorted", "given"])
def test_nothing_is_packed_into_nothing(order: Order) -> None:
    assert pack(np.array([], dtype=np.int32), 10, 10, order) == []
