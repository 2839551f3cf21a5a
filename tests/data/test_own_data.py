"""Texts of the user's own: labels, classes and language inferred, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_texts import ALL, numbered, own, refusal, write_tsv

from bench.data.datasets import prepare_own_dataset
from bench.data.reading import Reading
from bench.errors import DataError
from bench.text.language import detect_language, lacks_spaces, lacks_words

pytestmark = pytest.mark.usefixtures("no_caches")


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
        (["ｷｮｳﾊﾄﾃﾓ良ｲ天気ﾃﾞｽﾈ"], "ja"),
        (["Ｗｈａｔ ａ ｄａｙ"], "en"),
    ],
)
def test_the_language_is_guessed_from_the_letters(texts: list[str], language: str) -> None:
    assert detect_language(texts) == language


@pytest.mark.parametrize(
    ("given", "code"),
    [("zh-Hant", "zh"), ("zh_CN", "zh"), ("jpn", "ja"), ("Thai", "th"), ("pt-BR", "pt"), ("deu", "deu")],
)
def test_a_language_is_known_by_its_other_names(tmp_path: Path, given: str, code: str) -> None:
    path = write_tsv(tmp_path / "own.tsv", numbered({"a": 20, "b": 20}))
    assert prepare_own_dataset(path, Reading(language=given), ALL, None).language == code


def test_a_language_that_is_no_code_is_refused(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "own.tsv", numbered({"a": 20, "b": 20}))
    with pytest.raises(DataError, match="language 'like English': expected a code such as en, zh"):
        prepare_own_dataset(path, Reading(language="like English"), ALL, None)


@pytest.mark.parametrize(
    ("texts", "spaces", "words"),
    [
        (["a plain text about 東京"] * 10, False, False),
        (["a plain text"] * 9 + ["今日はiPhoneの良い天気"], True, True),
        (["a plain text"] * 9 + ["วันนี้อากาศดีมาก 5G"], True, True),
        (["a plain text"] * 9 + ["\U0001f600"], False, True),
        (["오늘 날씨가 좋네요"] * 9 + ["Сегодня"], False, False),
    ],
)
def test_texts_without_spaces_among_others_are_seen(texts: list[str], spaces: bool, words: bool) -> None:
    """A bag of words would take each of them for one word that no other text has."""
    assert (lacks_spaces(texts), lacks_words(texts)) == (spaces, words)


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
