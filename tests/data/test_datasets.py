"""Data sets: where they come from, how they are cut and limited, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset, prepare_own_dataset
from bench.data.prepared import open_dataset, save_dataset
from bench.data.reading import AS_IT_IS
from bench.data.suites import load_suite
from bench.errors import DataError, NotAvailable
from bench.text.language import detect_language
from bench.text.splits import stratified_cut, stratified_order
from bench.types import Dataset, Split

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=300).map(lambda labels: np.array(labels, dtype=np.int64))
ALL = Limits()


@pytest.fixture(autouse=True)
def _no_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def write_tsv(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    return path


def numbered(counts: dict[str, int], start: int = 0) -> list[tuple[str, str]]:
    return [(f"text {label} {start + at}", label) for label, count in counts.items() for at in range(count)]


def own(path: Path, limits: Limits = ALL) -> Dataset:
    return prepare_own_dataset(path, AS_IT_IS, limits, None)


def refusal(path: Path, limits: Limits = ALL) -> str:
    with pytest.raises(DataError) as caught:
        own(path, limits)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def ids(split: Split) -> set[int]:
    return set(split.ids.tolist())


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
    kept, cut = stratified_cut(labels, share, seed)
    assert sorted([*kept.tolist(), *cut.tolist()]) == list(range(len(labels)))
    for label, count in Counter(labels.tolist()).items():
        taken = int((labels[cut] == label).sum())
        assert taken < count
        assert taken == (0 if count == 1 else min(max(1, round(share * count)), count - 1))


def test_another_seed_is_another_cut_and_the_same_seed_the_same() -> None:
    labels = np.arange(200) % 3
    assert (stratified_order(labels, 1) == stratified_order(labels, 1)).all()
    assert not (stratified_order(labels, 1) == stratified_order(labels, 2)).all()
    assert not (stratified_cut(labels, 0.2, 1)[1] == stratified_cut(labels, 0.2, 2)[1]).all()


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


# ---------------------------------------------------------------- own data


def test_labels_are_inferred_and_numbers_are_in_numeric_order(tmp_path: Path) -> None:
    data = own(write_tsv(tmp_path / "stars.tsv", numbered({"10": 10, "9": 10, "1": 10})))
    assert data.class_names == ("1", "9", "10")
    assert data.prompt.label_words == data.class_names
    assert data.name == "stars"
    assert data.source.kind == "local"


def test_many_classes_are_not_listed_in_the_prompt(tmp_path: Path) -> None:
    few = own(write_tsv(tmp_path / "few.tsv", numbered({"a": 9, "b": 9})))
    many = own(write_tsv(tmp_path / "many.tsv", numbered({f"c{at}": 4 for at in range(60)})))
    assert "{options}" in few.prompt.template
    assert "{options}" not in many.prompt.template
    assert len(many.class_names) == len(many.prompt.label_words) == 60


def test_a_folder_with_a_card_is_read_whole(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for split, size in (("train", 20), ("test", 8), ("validation", 6)):
        texts = [f"{split} {at}" for at in range(size)]
        pq.write_table(pa.table({"text": texts, "label": [at % 2 for at in range(size)]}), folder / f"{split}.parquet")
    card = {"name": "Mine", "classes": ["no", "yes"], "note": "half of it", "licence": "CC0", "language": "de"}
    (folder / "dataset.json").write_text(json.dumps(card), encoding="utf-8")
    data = own(folder)
    assert (data.title, data.language, data.class_names) == ("Mine", "de", ("no", "yes"))
    assert (data.source.note, data.source.licence) == ("half of it", "CC0")
    assert data.card.sizes.model_dump() == {"train": 20, "validation": 6, "test": 8}


def test_texts_in_train_and_test_are_counted(tmp_path: Path) -> None:
    write_tsv(tmp_path / "mine" / "train.tsv", numbered({"a": 20, "b": 20}))
    write_tsv(tmp_path / "mine" / "test.tsv", [*numbered({"a": 3}), *numbered({"b": 5}, start=100)])
    assert "3 of 8 test texts are also in train or validation" in own(tmp_path / "mine").notes


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["What a day, the film was great."], "en"),
        (["今天天气真好 OK"], "zh"),
        (["今日はとても良い天気ですね"], "ja"),
        (["音楽がうるさくて眠いです OK"], "ja"),
        (["วันนี้อากาศดีมาก"], "th"),
        (["ມື້ນີ້ອາກາດດີ"], "lo"),
        (["ថ្ងៃនេះអាកាសធាតុល្អ"], "km"),
        (["ဒီနေ့ရာသီဥတုကောင်းတယ်"], "my"),
        (["오늘 날씨가 좋네요"], "multi"),
        (["\U0001f600\U0001f621"], "multi"),
        (["Schöne Grüße aus München, überall"], "multi"),
        (["Сегодня хорошая погода"], "multi"),
        (["12345 !!!"], "multi"),
    ],
)
def test_the_language_is_guessed_from_the_letters(texts: list[str], language: str) -> None:
    assert detect_language(texts) == language


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    assert "all texts have the label 'a'" in refusal(write_tsv(tmp_path / "own.tsv", numbered({"a": 9})))


def test_a_label_that_train_lacks_is_refused(tmp_path: Path) -> None:
    write_tsv(tmp_path / "mine" / "train.tsv", numbered({"a": 9, "b": 9}))
    write_tsv(tmp_path / "mine" / "test.tsv", numbered({"a": 2, "c": 2}))
    message = refusal(tmp_path / "mine")
    assert "test.tsv line 3: label 'c' never occurs in train.tsv" in message


def test_too_few_texts_are_refused(tmp_path: Path) -> None:
    assert "too few" in refusal(write_tsv(tmp_path / "own.tsv", numbered({"a": 1, "b": 1})))


def test_data_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "no such file or folder" in refusal(tmp_path / "nothing.csv")
    (tmp_path / "empty").mkdir()
    assert "no train." in refusal(tmp_path / "empty")
    write_tsv(tmp_path / "many" / "agnews" / "train.tsv", numbered({"a": 9, "b": 9}))
    assert "name one of its data sets" in refusal(tmp_path / "many")
    write_tsv(tmp_path / "two" / "train.tsv", numbered({"a": 9, "b": 9}))
    write_tsv(tmp_path / "two" / "train.txt", numbered({"a": 9, "b": 9}))
    assert "has both train.tsv and train.txt" in refusal(tmp_path / "two")


@pytest.mark.parametrize("card", ["{", "[]", '{"classes": "a"}', '{"note": 1}'])
def test_a_broken_card_is_refused(tmp_path: Path, card: str) -> None:
    write_tsv(tmp_path / "mine" / "train.tsv", numbered({"a": 9, "b": 9}))
    (tmp_path / "mine" / "dataset.json").write_text(card, encoding="utf-8")
    assert "dataset.json" in refusal(tmp_path / "mine")


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
