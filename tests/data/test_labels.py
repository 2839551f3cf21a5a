"""Labels: one spelling a class, names for numbers, and what no classifier can learn is asked about."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset, prepare_own_dataset
from bench.data.labels import read_label_map
from bench.data.reading import Reading
from bench.data.suites import load_suite
from bench.errors import DataError, UsageError
from bench.types import Dataset


def write(path: Path, labels: list[str], note: str = "text") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f'{note} {at},"{label}"\n' for at, label in enumerate(labels)]
    path.write_text("text,label\n" + "".join(lines), encoding="utf-8")
    return path


def own(path: Path, **reading: object) -> Dataset:
    return prepare_own_dataset(path, Reading(**reading), Limits(), None)


def refusal(path: Path, **reading: object) -> str:
    with pytest.raises(DataError) as caught:
        own(path, **reading)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_whole_numbers_are_one_class_however_they_are_written(tmp_path: Path) -> None:
    assert own(write(tmp_path / "a.csv", ["0.0", "1.0", "0", "1"] * 10)).class_names == ("0", "1")
    write(tmp_path / "b" / "train.csv", ["0.0", "1."] * 20)
    write(tmp_path / "b" / "test.csv", ["0", "1"] * 5)
    assert own(tmp_path / "b").class_names == ("0", "1")
    assert own(write(tmp_path / "c.csv", ["1.5", "2.0", "3"] * 10)).class_names == ("1.5", "2", "3")


def test_spellings_that_differ_in_case_or_spaces_are_named_and_joined_when_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["Neg", "pos", "neg", "new york", "New-York"] * 10)
    data = own(path)
    assert len(data.class_names) == 5
    assert any("differ only in spelling" in note and "'Neg' and 'neg'" in note for note in data.notes)
    joined = own(path, label_map=(("Neg", "neg"), ("New-York", "new york")))
    assert joined.class_names == ("neg", "new york", "pos")
    write(tmp_path / "b" / "train.csv", ["neg", "pos"] * 20)
    write(tmp_path / "b" / "test.csv", ["Neg", "pos"] * 5)
    assert "label 'Neg' never occurs in train.csv, 'neg' does; --label-map" in refusal(tmp_path / "b")


def test_numbers_from_one_are_asked_about(tmp_path: Path) -> None:
    write(tmp_path / "agnews" / "train.csv", ["1", "2", "3", "4"] * 10)
    suite = load_suite("agnews")
    with pytest.raises(DataError, match=r"count from 1, the 4 classes .* from 0 .* --label-map, such as 1=World"):
        prepare_dataset(suite, tmp_path, Limits(), None)
    names = read_label_map("1=World,2=Sports,3=Business,4=Sci/Tech")
    data = prepare_dataset(suite, tmp_path, Limits(), None, Reading(label_map=names))
    assert data.class_names == ("World", "Sports", "Business", "Sci/Tech")
    for row, label in zip(data.train.ids, data.train.labels, strict=True):
        assert label == row % 4


@pytest.mark.parametrize(
    "labels",
    [
        [f"{at / 197:.4f}" for at in range(197)],
        [str(at) for at in range(100)] * 2,
        [f"{at / 12:.2f}" for at in range(12)] * 20,
    ],
)
def test_a_column_of_many_numbers_is_asked_about(tmp_path: Path, labels: list[str]) -> None:
    message = refusal(write(tmp_path / "a.csv", labels))
    assert f"column 'label' holds {len(set(labels))} different numbers in {len(labels)} rows" in message
    assert "regression" in message


def test_many_numbered_classes_with_texts_enough_are_classes(tmp_path: Path) -> None:
    assert len(own(write(tmp_path / "a.csv", [str(at) for at in range(60)] * 6)).class_names) == 60


def test_a_label_column_that_is_a_text_is_asked_about(tmp_path: Path) -> None:
    assert "is it the text?" in refusal(write(tmp_path / "a.csv", [f"words {at}" for at in range(50)]))


def test_several_labels_in_a_cell_are_said(tmp_path: Path) -> None:
    data = own(write(tmp_path / "a.csv", ["food", "food,price", "price,food", "price"] * 10))
    assert any("20 texts have several labels, such as 'food,price'" in note for note in data.notes)
    plain = own(write(tmp_path / "b.csv", ["Sales, Europe", "Support"] * 10))
    assert not any("several labels" in note for note in plain.notes)


def test_a_label_map_is_pairs_or_a_json_file(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text('{"1": "a=b"}', encoding="utf-8")
    assert read_label_map(str(path)) == (("1", "a=b"),)
    assert read_label_map("1=a, 2 = b") == (("1", "a"), ("2", "b"))
    for wrong in ("1", "1=", "x.json"):
        with pytest.raises(UsageError, match="--label-map"):
            read_label_map(wrong)
    assert "no label '7' of --label-map" in refusal(write(tmp_path / "a.csv", ["1", "2"] * 10), label_map=(("7", "x"),))
