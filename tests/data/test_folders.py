"""Folders and hub data sets: parts are found by the names that people give them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.data.assembly import Limits
from bench.data.datasets import prepare_own_dataset
from bench.data.reading import AS_IT_IS, Reading
from bench.errors import BenchError, DataError, NotAvailable
from bench.types import Dataset

COMMIT = "a" * 40


pytestmark = pytest.mark.usefixtures("no_caches")


def rows(part: str, count: int = 20) -> dict[str, list[str]]:
    return {"text": [f"{part} {at}" for at in range(count)], "label": [("neg", "pos")[at % 2] for at in range(count)]}


def parquet(path: Path, part: str, count: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(rows(part, count)), path)


def tsv(path: Path, part: str, count: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = rows(part, count)
    lines = [f"{text}\t{label}\n" for text, label in zip(found["text"], found["label"], strict=True)]
    path.write_text("".join(lines), encoding="utf-8")


def own(path: Path | str, **reading: object) -> Dataset:
    return prepare_own_dataset(Path(path), Reading(**reading), Limits(), None)


def sizes(data: Dataset) -> tuple[int, int, int]:
    return len(data.train), len(data.validation), len(data.test)


@pytest.mark.parametrize("name", ["dev", "val", "valid", "validation"])
@pytest.mark.parametrize("place", ["", "data/"])
def test_the_validation_part_by_any_of_its_names(tmp_path: Path, name: str, place: str) -> None:
    for part, count in (("train", 20), ("test", 8), (name, 6)):
        tsv(tmp_path / "mine" / f"{place}{part}.tsv", part, count)
    assert sizes(own(tmp_path / "mine")) == (20, 6, 8)


def test_shards_in_the_hubs_layout_are_one_part(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    parquet(folder / "data" / "train-00000-of-00002.parquet", "first")
    parquet(folder / "data" / "train-00001-of-00002-1f2e3d4c5b6a7980.parquet", "second")
    parquet(folder / "data" / "test-00000-of-00001.parquet", "test", 8)
    (folder / "README.md").write_text("about", encoding="utf-8")
    data = own(folder)
    assert len(data.train) + len(data.validation) == 40
    assert {"first 0", "second 19"} <= {*data.train.texts, *data.validation.texts}
    assert len(data.test) == 8


def test_an_error_in_a_shard_names_the_shard(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "data"
    parquet(folder / "train-00000-of-00001.parquet", "train")
    pq.write_table(pa.table({"text": ["a", "b"], "label": ["neg", "pos"]}), folder / "test-00000-of-00002.parquet")
    pq.write_table(pa.table({"text": ["c", "d"], "label": ["neg", "odd"]}), folder / "test-00001-of-00002.parquet")
    with pytest.raises(DataError, match=r"test-00001-of-00002.parquet row 2: label 'odd' never occurs"):
        own(tmp_path / "mine")


def test_a_folder_a_class(tmp_path: Path) -> None:
    for part, count in (("train", 12), ("test", 4)):
        for label in ("neg", "pos"):
            for at in range(count):
                file = tmp_path / "imdb" / part / label / f"{at}.txt"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(f"{label} text {at} of {part}\n", encoding="utf-8")
    (tmp_path / "imdb" / "train" / "unsup").mkdir()
    (tmp_path / "imdb" / "train" / "unsup" / "0.txt").write_text("nothing", encoding="utf-8")
    data = own(tmp_path / "imdb")
    assert data.class_names == ("neg", "pos")
    assert len(data.test) == 8
    assert "unsup holds texts without a class and is left out" in data.notes
    (tmp_path / "imdb" / "train" / "neg" / "3.txt").write_text(" \n", encoding="utf-8")
    with pytest.raises(DataError, match=r"neg/3.txt: empty text \(1 of 24 files\)"):
        own(tmp_path / "imdb")
    assert own(tmp_path / "imdb" / "test").class_names == ("neg", "pos")


def test_one_file_alone_in_a_folder(tmp_path: Path) -> None:
    tsv(tmp_path / "mine" / "reviews.tsv", "a")
    assert len(own(tmp_path / "mine").test) == 4
    tsv(tmp_path / "mine" / "more.tsv", "b")
    with pytest.raises(DataError, match=r"which of its 2 files is it \(more.tsv, reviews.tsv\)"):
        own(tmp_path / "mine")


def test_parts_named_twice_or_without_train_are_refused(tmp_path: Path) -> None:
    tsv(tmp_path / "mine" / "test.tsv", "a")
    with pytest.raises(DataError, match="it has a test part, but no train"):
        own(tmp_path / "mine")
    tsv(tmp_path / "mine" / "train.tsv", "a")
    tsv(tmp_path / "mine" / "dev.tsv", "a")
    tsv(tmp_path / "mine" / "val.tsv", "a")
    with pytest.raises(DataError, match=r"has both dev\.tsv and val\.tsv"):
        own(tmp_path / "mine")


# ---------------------------------------------------------------- the hub


def snapshot(tmp_path: Path) -> Path:
    folder = tmp_path / "hub" / "datasets--org--name"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    return folder / "snapshots" / COMMIT


def test_a_hub_data_set_is_read_out_of_the_cache(tmp_path: Path) -> None:
    parquet(snapshot(tmp_path) / "data" / "train-00000-of-00001.parquet", "train", 40)
    parquet(
        tmp_path / "hub/datasets--org--name/snapshots" / COMMIT / "data" / "test-00000-of-00001.parquet", "test", 10
    )
    for name in ("hf:org/name", "hf:org/name@main", f"hf:org/name@{COMMIT}"):
        data = own(name)
        assert (data.source.kind, data.source.name, data.source.revision) == ("hub-cache", "org/name", COMMIT)
        assert len(data.test) == 10
    assert data.name.startswith("org-name")


def test_configurations_are_chosen_by_folder_or_card(tmp_path: Path) -> None:
    folder = snapshot(tmp_path)
    for language in ("de", "en"):
        parquet(folder / language / "train-00000-of-00001.parquet", language, 40)
    with pytest.raises(DataError, match="which configuration, de, en"):
        own("hf:org/name")
    assert own("hf:org/name:de").train.texts[0].startswith("de")
    with pytest.raises(DataError, match="no configuration 'fr'; it has de, en"):
        own("hf:org/name:fr")
    configs = "configs:\n- config_name: small\n  data_files:\n  - split: train\n    path: en/train-*\n"
    card = f"---\nlicense: cc0-1.0\n{configs}---\n"
    (folder / "README.md").write_text(card, encoding="utf-8")
    data = own("hf:org/name")
    assert data.train.texts[0].startswith("en")
    assert data.source.licence == "cc0-1.0"


@pytest.mark.parametrize("name", ["hf:", "hf:a/b/c", "hf:org/name:a:b"])
def test_a_hub_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BenchError, match="expected hf:ORG/NAME"):
        own(name)


def test_a_data_set_that_is_not_there_says_how_to_fetch_it() -> None:
    with pytest.raises(NotAvailable, match="hf download --repo-type dataset org/other"):
        prepare_own_dataset(Path("hf:org/other"), AS_IT_IS, Limits(), None)
