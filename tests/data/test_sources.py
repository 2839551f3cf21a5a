"""Suites, and the order of the sources of their texts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_texts import ALL, ids, numbered, write_tsv

from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.errors import DataError, NotAvailable

pytestmark = pytest.mark.usefixtures("no_caches")


# ---------------------------------------------------------------- suites and the order of their sources


NEWS = {"World": 20, "Sports": 20, "Business": 20, "Sci/Tech": 20}


@pytest.fixture
def news(tmp_path: Path) -> Path:
    """A data directory with AG News and another task."""
    write_tsv(tmp_path / "data" / "agnews" / "train.tsv", numbered(NEWS))
    write_tsv(tmp_path / "data" / "agnews" / "test.tsv", numbered(NEWS, start=100))
    return tmp_path / "data"


def test_a_data_directory_comes_first(news: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given_path = prepare_dataset(load_suite("agnews"), news, ALL, None)
    assert given_path.source.kind == "local"
    assert len(given_path.test) == 80
    monkeypatch.setenv("BENCH_DATA", str(news))
    assert prepare_dataset(load_suite("agnews"), None, ALL, None).fingerprint == given_path.fingerprint


def test_a_suite_may_be_one_file_or_the_directory_itself(news: Path, tmp_path: Path) -> None:
    assert prepare_dataset(load_suite("agnews"), news / "agnews", ALL, None).source.kind == "local"
    file = write_tsv(tmp_path / "files" / "agnews.tsv", numbered(NEWS))
    assert len(prepare_dataset(load_suite("agnews"), file, ALL, None).test) == 16
    assert len(prepare_dataset(load_suite("agnews"), file.parent, ALL, None).test) == 16


def test_numbers_are_labels_in_the_order_of_the_card(tmp_path: Path) -> None:
    write_tsv(tmp_path / "weibo" / "train.tsv", [(f"文本 {at}", str(at % 2)) for at in range(40)])
    suite = load_suite("weibo")
    assert prepare_dataset(suite, tmp_path, ALL, None).train.labels[0] in (0, 1)
    (tmp_path / "weibo" / "dataset.json").write_text('{"classes": ["positive", "negative"]}', encoding="utf-8")
    data = prepare_dataset(suite, tmp_path, ALL, None)
    assert data.class_names == ("negative", "positive")
    for row, label in zip(data.train.ids, data.train.labels, strict=True):
        assert label == 1 - row % 2


def test_other_classes_than_the_suites_are_refused(tmp_path: Path) -> None:
    write_tsv(tmp_path / "agnews" / "train.tsv", numbered({"cats": 9, "dogs": 9}))
    with pytest.raises(DataError, match="label 'cats' is none of World, Sports, Business, Sci/Tech"):
        prepare_dataset(load_suite("agnews"), tmp_path, ALL, None)


def test_a_class_without_a_text_is_refused(tmp_path: Path) -> None:
    write_tsv(tmp_path / "agnews" / "train.tsv", numbered({"World": 9, "Sports": 9, "Business": 9}))
    with pytest.raises(DataError, match="has no text of Sci/Tech"):
        prepare_dataset(load_suite("agnews"), tmp_path, ALL, None)


def test_a_directory_without_the_suite_falls_through_and_says_so(news: Path) -> None:
    data = prepare_dataset(load_suite("weibo"), news, ALL, None)
    assert data.source.kind == "sample"
    assert f"{news} has no data for 'weibo'" in data.notes


def test_a_directory_that_is_not_there_or_empty_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        prepare_dataset(load_suite("agnews"), tmp_path / "nothing", ALL, None)
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "empty"))
    with pytest.raises(DataError, match="no data in it"):
        prepare_dataset(load_suite("agnews"), None, ALL, None)


def test_the_hub_cache_comes_before_package_and_sample(tmp_path: Path) -> None:
    hub = load_suite("agnews").hub
    assert hub is not None
    snapshot = tmp_path / "hub" / "datasets--fancyzhx--ag_news" / "snapshots" / hub.revision
    for split, name in (("train", hub.train), ("test", hub.test)):
        assert name is not None
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        texts = [f"{split} {at}" for at in range(40)]
        pq.write_table(pa.table({"text": texts, "label": [at % 4 for at in range(40)]}), snapshot / name)
    data = prepare_dataset(load_suite("agnews"), None, ALL, None)
    assert (data.source.kind, data.source.revision) == ("hub-cache", hub.revision)
    assert len(data.test) == 40


@pytest.mark.parametrize("name", ["agnews", "weibo", "weibo/tags-stripped"])
def test_the_sample_is_the_last_source(name: str) -> None:
    suite = load_suite(name)
    data = prepare_dataset(suite, None, ALL, None)
    assert data.source.kind == "sample"
    assert data.class_names == suite.class_names
    counts = Counter(np.concatenate([part.labels for part in (data.train, data.validation, data.test)]).tolist())
    assert min(counts.values()) >= 60
    assert 0.25 < len(data.test) / sum(counts.values()) < 0.35
    assert "not comparable" in (data.source.note or "")


def test_a_suite_that_no_source_has_says_where_it_was_looked_for() -> None:
    with pytest.raises(NotAvailable, match=r"no data for suite 'imdb': hub: offline mode .*--data DIR"):
        prepare_dataset(load_suite("imdb"), None, ALL, None)


def test_a_variant_strips_tags_and_drops_what_is_left_empty(tmp_path: Path) -> None:
    rows = [(f"今天[泪]第{at}天", ("negative", "positive")[at % 2]) for at in range(40)]
    rows[7] = ("[哈哈][哈哈]", "positive")
    write_tsv(tmp_path / "weibo" / "train.tsv", rows)
    data = prepare_dataset(load_suite("weibo/tags-stripped"), tmp_path, ALL, None)
    texts = {*data.train.texts, *data.validation.texts, *data.test.texts}
    assert len(texts) == 39
    assert not any("[" in text for text in texts)
    assert 7 not in ids(data.train) | ids(data.validation) | ids(data.test)
    assert "1 of the texts held nothing but tags and is left out" in data.notes
    assert data.fingerprint != prepare_dataset(load_suite("weibo"), tmp_path, ALL, None).fingerprint


# ---------------------------------------------------------------- real archives


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sizes", "counts"),
    [
        ("movies", (7231, 804, 2008), {"negative": 5061, "positive": 4982}),
        (
            "r8",
            (4936, 549, 2189),
            {
                **{"acq": 2292, "crude": 374, "earn": 3923, "grain": 51},
                **{"interest": 271, "money-fx": 293, "ship": 144, "trade": 326},
            },
        ),
        ("reviews-zh", (12418, 1380, 3368), {"negative": 8948, "positive": 8218}),
    ],
)
def test_packaged_data_has_the_published_counts(
    name: str, sizes: tuple[int, int, int], counts: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_CACHE")
    data = prepare_dataset(load_suite(name), None, ALL, None)
    assert data.source.kind == "package"
    assert (len(data.train), len(data.validation), len(data.test)) == sizes
    labels = np.concatenate([part.labels for part in (data.train, data.validation, data.test)])
    assert {data.class_names[label]: count for label, count in Counter(labels.tolist()).items()} == counts


def test_a_variant_may_cut_its_test_from_train(tmp_path: Path) -> None:
    folder = tmp_path / "sst2"
    folder.mkdir()
    for name, count in (("train", 50), ("test", 7)):
        rows = "".join(f"{'good' if row % 2 else 'bad'} {name} {row}\t{row % 2}\n" for row in range(count))
        (folder / f"{name}.tsv").write_text(rows)
    own = prepare_dataset(load_suite("sst2"), tmp_path, Limits(), None)
    cut = prepare_dataset(load_suite("sst2/cut-from-train"), tmp_path, Limits(), None)
    assert len(own.test) == 7
    assert (len(cut.test), len(cut.train) + len(cut.validation)) == (10, 40)
    assert all(" train " in text for text in cut.test.texts)
    assert not set(cut.test.texts) & set(cut.train.texts)
