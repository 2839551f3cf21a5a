"""Every split that is cut keeps each class that can be kept, and the data say which classes have no test text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.data.assembly import Limits
from bench.data.cuts import cut_train
from bench.data.datasets import prepare_own_dataset
from bench.data.reading import AS_IT_IS
from bench.types import Dataset, TrainCut


def dataset(folder: Path, train: dict[str, int], test: dict[str, int] | None, limits: Limits = Limits()) -> Dataset:  # noqa: B008
    folder.mkdir(exist_ok=True)
    for name, counts in (("train", train), ("test", test)):
        if counts is not None:
            rows = [f"{name} text {label} {at},{label}" for label, count in counts.items() for at in range(count)]
            (folder / f"{name}.csv").write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    return prepare_own_dataset(folder if test is not None else folder / "train.csv", AS_IT_IS, limits, None)


def notes(data: Dataset) -> str:
    return " | ".join(data.card.notes)


pytestmark = pytest.mark.usefixtures("no_caches")


def test_classes_without_a_test_text_are_named(tmp_path: Path) -> None:
    data = dataset(tmp_path / "d", {"a": 20, "b": 20, "c": 20}, {"a": 5, "b": 5})
    assert "1 of 3 classes have no test text (c)" in notes(data)
    assert "no test text" not in notes(dataset(tmp_path / "e", {"a": 20, "b": 20}, {"a": 5, "b": 5}))


def test_a_class_with_one_text_is_trained_on_and_not_tested(tmp_path: Path) -> None:
    data = dataset(tmp_path / "d", {"a": 40, "b": 40, "rare": 1}, None)
    assert "1 of 3 classes have no test text (rare)" in notes(data)
    assert set(np.unique(data.train.labels)) == {0, 1, 2}


def test_a_limit_below_the_classes_is_told(tmp_path: Path) -> None:
    counts = {f"class{at:02d}": 10 for at in range(12)}
    data = dataset(tmp_path / "d", counts, counts, Limits(test=8))
    assert "4 of 12 classes have no test text" in notes(data)
    assert "no test text" not in notes(dataset(tmp_path / "e", counts, counts, Limits(test=12)))


@pytest.mark.parametrize("selection", ["stratified", "hard", "easy"])
def test_a_cut_of_train_keeps_every_class_it_has_room_for(tmp_path: Path, selection: str) -> None:
    data = dataset(tmp_path / "d", {"a": 200, "b": 100, "c": 4, "d": 3}, {"a": 2, "b": 2})
    hardness = None if selection == "stratified" else np.random.default_rng(0).random(len(data.train))
    cut = cut_train(data, TrainCut(items=4, selection=selection), hardness)
    assert set(np.unique(cut.train.labels)) == {0, 1, 2, 3}
