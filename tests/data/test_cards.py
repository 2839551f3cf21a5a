"""Class names that only a data set's card has, for files whose labels are numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.data.cards import listed_classes
from bench.data.reading import AS_IT_IS
from bench.data.sources import open_path

CARD = """---
license: mit
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': neg
          '1': pos
---
# a set
"""
FEATURES = {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
CONFIGS = CARD.replace("dataset_info:\n  features:", "dataset_info:\n- config_name: one\n  features:")
FORMS = {
    "a card": ("README.md", CARD),
    "a card of configurations": ("README.md", CONFIGS),
    "the library's infos": ("dataset_infos.json", json.dumps({"default": {"features": FEATURES}})),
    "the library's info": ("dataset_info.json", json.dumps({"features": FEATURES})),
}


def folder_with(folder: Path, name: str, content: str, labels: tuple[str, ...] = ("0", "1")) -> Path:
    (folder / "data").mkdir()
    rows = "".join(f"text number {row},{labels[row % len(labels)]}\n" for row in range(20))
    for part in ("train", "test"):
        (folder / "data" / f"{part}-00000-of-00001.csv").write_text(f"text,label\n{rows}")
    (folder / name).write_text(content, encoding="utf-8")
    return folder


@pytest.mark.parametrize("form", FORMS)
def test_numbers_come_out_by_the_names_that_the_card_lists(tmp_path: Path, form: str) -> None:
    raw = open_path(folder_with(tmp_path, *FORMS[form]), AS_IT_IS)
    assert raw.test is not None
    assert set(raw.train.labels) == set(raw.test.labels) == {"neg", "pos"}
    assert raw.train.labels[:2] == ["neg", "pos"]


@pytest.mark.parametrize("labels", [("0", "1", "2"), ("neg", "pos"), ("1.5", "0")])
def test_labels_that_the_card_does_not_number_stay(tmp_path: Path, labels: tuple[str, ...]) -> None:
    raw = open_path(folder_with(tmp_path, *FORMS["a card"], labels), AS_IT_IS)
    assert set(raw.train.labels) == set(labels)


@pytest.mark.parametrize(
    "content",
    ["no card", "---\n: [\n---\n", CARD.replace("'1'", "'7'"), "---\ndataset_info: 3\n---\n", "---\na: 1\n---"],
)
def test_a_card_without_class_names_changes_nothing(tmp_path: Path, content: str) -> None:
    assert listed_classes(folder_with(tmp_path, "README.md", content)) == {}
    assert set(open_path(tmp_path, AS_IT_IS).train.labels) == {"0", "1"}


def test_configurations_that_name_other_classes_name_none(tmp_path: Path) -> None:
    other = {"features": {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}}}
    (tmp_path / "dataset_infos.json").write_text(json.dumps({"a": {"features": FEATURES}, "b": other}))
    assert listed_classes(tmp_path) == {}
