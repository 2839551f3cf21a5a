"""Class names that only a data set's card has, for files whose labels are numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import HubServer, commit_of, serve_hub
from own_texts import own

from bench.data.cards import ListedClasses, listed_classes
from bench.data.reading import AS_IT_IS, Reading
from bench.data.sources import open_path
from bench.errors import DataError

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
    assert listed_classes(folder_with(tmp_path, "README.md", content)) is None
    assert set(open_path(tmp_path, AS_IT_IS).train.labels) == {"0", "1"}


def test_configurations_that_name_other_classes_name_none(tmp_path: Path) -> None:
    other = {"features": {"label": {"names": ["bad", "good"], "_type": "ClassLabel"}}}
    (tmp_path / "dataset_infos.json").write_text(json.dumps({"a": {"features": FEATURES}, "b": other}))
    assert listed_classes(tmp_path) is None
    assert names_in(listed_classes(tmp_path, "b")) == {"label": ["bad", "good"]}


# ---------------------------------------------------------------- where the card stands


@pytest.mark.parametrize("part", ["data", "data/train-00000-of-00001.csv"])
def test_the_card_above_the_folder_of_the_data_is_read(tmp_path: Path, part: str) -> None:
    raw = open_path(folder_with(tmp_path, *FORMS["a card"]) / part, AS_IT_IS)
    assert set(raw.train.labels) == {"neg", "pos"}
    assert "class names are those that README.md lists for 'label'" in raw.notes


def test_a_configurations_folder_takes_its_own_names_and_another_folder_none(tmp_path: Path) -> None:
    folder_with(tmp_path, "dataset_infos.json", json.dumps({"one": {"features": FEATURES}}))
    (tmp_path / "data").rename(tmp_path / "one")
    assert set(open_path(tmp_path / "one", AS_IT_IS).train.labels) == {"neg", "pos"}
    (tmp_path / "one").rename(tmp_path / "mine")
    assert set(open_path(tmp_path / "mine", AS_IT_IS).train.labels) == {"0", "1"}


# ---------------------------------------------------------------- what its numbers mean


def test_classes_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """A model trained on the data set, whose labels are LABEL_0 and LABEL_1, means that order."""
    folder_with(tmp_path, "README.md", CARD.replace("neg", "World").replace("pos", "Business"))
    assert own(tmp_path).class_names == ("World", "Business")


def test_minus_one_is_no_class_but_a_missing_label(tmp_path: Path) -> None:
    folder_with(tmp_path, *FORMS["a card"], ("0", "1", "1", "-1"))
    with pytest.raises(DataError, match=r"label -1, which the hub writes for a text without one \(5 of 20 rows\)"):
        open_path(tmp_path, AS_IT_IS)
    raw = open_path(tmp_path, Reading(drop_empty=True))
    assert (set(raw.train.labels), raw.train.dropped, len(raw.train.texts)) == ({"neg", "pos"}, 5, 15)


# ---------------------------------------------------------------- the hub


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    with serve_hub(tmp_path / "repositories", tmp_path / "hub", monkeypatch) as running:
        yield running


def repository(server: HubServer, form: str) -> Path:
    folder = server.root / "org" / "reviews"
    folder.mkdir(parents=True)
    return folder_with(folder, *FORMS[form])


@pytest.mark.parametrize("form", FORMS)
def test_a_data_set_of_the_hub_brings_the_names_of_its_card(server: HubServer, form: str) -> None:
    repository(server, form)
    data = own(Path("hf:org/reviews"))
    assert (data.source.kind, data.source.revision, data.class_names) == (
        "hub",
        commit_of("org/reviews"),
        ("neg", "pos"),
    )
    assert any("lists for 'label'" in note for note in data.notes)
    asked = len(server.asked)
    again = own(Path("hf:org/reviews@" + commit_of("org/reviews")))
    assert (again.source.kind, again.class_names) == ("hub-cache", ("neg", "pos"))
    assert len(server.asked) == asked


def test_a_download_that_broke_off_is_no_data_set(server: HubServer, tmp_path: Path) -> None:
    """Half of the shards are not taken for the whole, nor train for all parts that the card lists."""
    folder = repository(server, "a card")
    splits = "          '1': pos\n  splits:\n  - name: train\n  - name: test\n"
    (folder / "README.md").write_text(CARD.replace("          '1': pos\n", splits), encoding="utf-8")
    commit = commit_of("org/reviews")
    here = tmp_path / "hub" / "datasets--org--reviews" / "snapshots" / commit
    (here / "data").mkdir(parents=True)
    for name in ("README.md", "data/train-00000-of-00001.csv"):
        (here / name).write_bytes((folder / name).read_bytes())
    assert own(Path(f"hf:org/reviews@{commit}")).source.kind == "hub"
    assert (here / "data" / "test-00000-of-00001.csv").is_file()


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, *FORMS["a card"]) / "data"
    (folder / "train-00000-of-00001.csv").rename(folder / "train-00000-of-00003.csv")
    with pytest.raises(DataError, match=r"train-00000-of-00003\.csv is one of 3 files, 2 of which are missing"):
        open_path(tmp_path, AS_IT_IS)


def names_in(listed: ListedClasses | None) -> dict[str, list[str]] | None:
    return listed.names if listed else None
