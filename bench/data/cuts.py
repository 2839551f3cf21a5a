"""Cuts off the part of train that a recipe sees; validation and test stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.errors import NotAvailable
from bench.text.language import is_spaceless
from bench.text.splits import DATA_SEED, stratified_order
from bench.types import Dataset, Split, TrainCut


def cut_train(data: Dataset, cut: TrainCut, hardness: np.ndarray | None) -> Dataset:
    """The data set with its train cut; hardness float64 (n,) orders train where the cut selects by it.

    Raises NotAvailable when train has fewer texts than the cut asks for.
    """
    train = data.train
    if cut.items is not None:
        if cut.items > len(train):
            raise NotAvailable(f"the cut asks for {cut.items:,} training texts, there are {len(train):,}")
        train = train.take(_order(train.labels, cut, hardness)[: cut.items])
    if cut.per_class is not None:
        train = _of_every_class(train, cut.per_class, data.class_names)
    if cut.label_noise:
        train = _with_noise(train, cut.label_noise, len(data.class_names))
    if cut.first_words is not None:
        train = _shortened(train, cut.first_words, is_spaceless(data.language))
    return replace(data, train=train)


def _of_every_class(train: Split, count: int, class_names: Sequence[str]) -> Split:
    """The first `count` texts of every class in the stratified order: nested, as the cuts by number are."""
    order = stratified_order(train.labels)
    kept = []
    for label, name in enumerate(class_names):
        rows = order[train.labels[order] == label]
        if len(rows) < count:
            raise NotAvailable(f"the cut asks for {count:,} training texts of each class, '{name}' has {len(rows):,}")
        kept.append(rows[:count])
    chosen = np.concatenate(kept)
    return train.take(order[np.isin(order, chosen)])


def _order(labels: np.ndarray, cut: TrainCut, hardness: np.ndarray | None) -> np.ndarray:
    """Rows, the wanted first: stratified, or in each class by hardness and the classes in their shares."""
    if cut.selection == "stratified":
        return stratified_order(labels)
    assert hardness is not None  # noqa: S101 - whoever asks for a selection by hardness has measured it
    keys = np.empty(len(labels))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        values = -hardness[rows] if cut.selection == "hard" else hardness[rows]
        keys[rows[np.argsort(values, kind="stable")]] = np.arange(len(rows)) / len(rows)  # first one of each class
    return np.argsort(keys, kind="stable")


def _with_noise(train: Split, share: float, classes: int) -> Split:
    """`share` of the labels replaced by another class, the same rows for all recipes; more noise holds less."""
    random = np.random.RandomState(DATA_SEED)
    rows = random.permutation(len(train))[: round(share * len(train))]
    labels = train.labels.copy()
    labels[rows] = (labels[rows] + random.randint(1, classes, len(train))[: len(rows)]) % classes
    return replace(train, labels=labels)


def _shortened(train: Split, words: int, spaceless: bool) -> Split:
    def first(text: str) -> str:
        return text[:words] if spaceless else " ".join(text.split()[:words])

    return replace(train, texts=tuple(map(first, train.texts)))
