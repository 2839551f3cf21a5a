"""Data sets: where they come from, how they are cut and limited, and what is refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from own_texts import ids, numbered, own, refusal, write_tsv

from bench.data.assembly import Limits
from bench.data.prepared import open_dataset, save_dataset
from bench.errors import DataError
from bench.text.splits import cut_stratified, stratified_order

pytestmark = pytest.mark.usefixtures("no_caches")


LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=300).map(lambda labels: np.array(labels, dtype=np.int64))


# ---------------------------------------------------------------- cuts and subsets


@given(LABELS, st.integers(0, 2**32 - 1))
def test_the_stratified_order_is_a_permutation_of_which_every_prefix_is_stratified(
    labels: np.ndarray, seed: int
) -> None:
    order = stratified_order(labels, seed)
    assert sorted(order.tolist()) == list(range(len(labels)))
    classes, counts = np.unique(labels, return_counts=True)
    assert len(np.unique(labels[order[: len(classes)]])) == len(classes)
    for size in range(len(classes), len(labels) + 1):
        for label, count in zip(classes, counts, strict=True):
            here = int((labels[order[:size]] == label).sum())
            assert here >= 1
            assert abs(here - size * count / len(labels)) <= len(classes)


@given(LABELS, st.floats(0.05, 0.5), st.integers(0, 2**32 - 1))
def test_a_cut_is_disjoint_complete_and_stratified(labels: np.ndarray, share: float, seed: int) -> None:
    kept, cut = cut_stratified(labels, share, seed)
    assert sorted([*kept.tolist(), *cut.tolist()]) == list(range(len(labels)))
    for label, count in Counter(labels.tolist()).items():
        taken = int((labels[cut] == label).sum())
        assert taken < count
        assert taken == (0 if count == 1 else min(max(1, round(share * count)), count - 1))


def test_another_seed_is_another_cut_and_the_same_seed_the_same() -> None:
    labels = np.arange(200) % 3
    assert (stratified_order(labels, 1) == stratified_order(labels, 1)).all()
    assert not (stratified_order(labels, 1) == stratified_order(labels, 2)).all()
    assert not (cut_stratified(labels, 0.2, 1)[1] == cut_stratified(labels, 0.2, 2)[1]).all()


@given(st.integers(3, 40), st.integers(3, 40))
def test_smaller_limits_nest_in_larger_ones(tmp_path_factory: pytest.TempPathFactory, one: int, two: int) -> None:
    path = write_tsv(tmp_path_factory.mktemp("nest") / "own.tsv", numbered({"a": 30, "b": 20, "c": 10}))
    small = own(path, Limits(train=min(one, two), test=min(one, two)))
    large = own(path, Limits(train=max(one, two), test=max(one, two)))
    for split in ("train", "validation", "test"):
        first, second = getattr(small, split), getattr(large, split)
        assert first.texts == second.texts[: len(first)]
    assert small.full_sizes == large.full_sizes


def test_splits_are_disjoint_and_ids_name_the_rows_of_the_file(tmp_path: Path) -> None:
    rows = numbered({"a": 50, "b": 30, "c": 20})
    data = own(write_tsv(tmp_path / "own.tsv", rows))
    assert ids(data.train) | ids(data.validation) | ids(data.test) == set(range(100))
    assert len(data.train) + len(data.validation) + len(data.test) == 100
    for split in (data.train, data.validation, data.test):
        for row, text, label in zip(split.ids, split.texts, split.labels, strict=True):
            assert rows[row] == (text, data.class_names[label])
    assert Counter(data.test.labels.tolist()) == {0: 10, 1: 6, 2: 4}
    assert Counter(data.validation.labels.tolist()) == {0: 4, 1: 2, 2: 2}


def test_a_limit_is_kept_and_the_full_sizes_too(tmp_path: Path) -> None:
    data = own(write_tsv(tmp_path / "own.tsv", numbered({"a": 500, "b": 500})), Limits(train=40, test=30))
    assert data.card.sizes.model_dump() == {"train": 40, "validation": 10, "test": 30}
    assert data.card.full_sizes.model_dump() == {"train": 720, "validation": 80, "test": 200}
    assert "limit of 1 texts is below the 2 classes" in refusal(tmp_path / "own.tsv", Limits(train=1))


# ---------------------------------------------------------------- fingerprints and the disk


def test_the_fingerprint_sees_texts_labels_order_and_names(tmp_path: Path) -> None:
    rows = numbered({"a": 20, "b": 20})
    changed = {
        "same": rows,
        "text": [(rows[0][0] + "!", rows[0][1]), *rows[1:]],
        "label": [(rows[0][0], "b"), *rows[1:]],
        "order": rows[::-1],
        "names": [(text, label.upper()) for text, label in rows],
    }
    prints = {name: own(write_tsv(tmp_path / f"{name}.tsv", version)).fingerprint for name, version in changed.items()}
    assert len(set(prints.values())) == len(changed)
    assert own(tmp_path / "same.tsv").fingerprint == prints["same"]


def test_a_saved_data_set_opens_as_it_was(tmp_path: Path) -> None:
    data = own(write_tsv(tmp_path / "own.tsv", numbered({"好": 20, "坏": 20})), Limits(train=10, test=5))
    save_dataset(data, tmp_path / "saved")
    opened = open_dataset(tmp_path / "saved")
    assert opened.card == data.card
    assert opened.prompt == data.prompt
    assert opened.train.texts == data.train.texts
    assert opened.train.labels.dtype == opened.train.ids.dtype == np.int64


def test_a_damaged_data_set_is_refused(tmp_path: Path) -> None:
    data = own(write_tsv(tmp_path / "own.tsv", numbered({"a": 20, "b": 20})))
    save_dataset(data, tmp_path / "saved")
    table = pq.read_table(tmp_path / "saved" / "test.parquet")
    pq.write_table(table.slice(1), tmp_path / "saved" / "test.parquet")
    with pytest.raises(DataError, match="is damaged"):
        open_dataset(tmp_path / "saved")
    with pytest.raises(DataError, match="no prepared data"):
        open_dataset(tmp_path / "nothing")
