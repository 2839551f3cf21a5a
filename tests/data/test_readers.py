"""Readers: what was written is read, and what cannot be read is said in one line."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from awkward_files import awkward_files, write_case
from hypothesis import given
from hypothesis import strategies as st

from bench.data.content import read_content
from bench.data.readers import read_table
from bench.data.reading import Reading
from bench.errors import DataError

PLAIN = st.text(st.characters(codec="utf-8", exclude_characters='\t\r\n\0"'), min_size=1).filter(lambda t: t.strip())
ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1).filter(lambda t: t.strip())
LABEL = st.sampled_from(["good", "bad", "1", "naïve", "好"])


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def problem(path: Path, text: str | None = None, label: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path, Reading(text_column=text, label_column=label))
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def as_csv(rows: list[tuple[str, str]], header: tuple[str, str] | None) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if header:
        writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


# ---------------------------------------------------------------- round trips


@given(st.lists(st.tuples(ANY, LABEL), min_size=1))
def test_csv_with_a_header_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    path = write(tmp_path_factory.mktemp("csv"), "a.csv", as_csv(rows, ("review", "stars")))
    table = read_table(path)
    assert list(zip(table.texts, table.labels, strict=True)) == rows
    assert table.columns == ("review", "stars")


@given(st.lists(st.tuples(PLAIN, LABEL), min_size=1))
def test_tsv_with_a_header_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    lines = ["text\tlabel", *("\t".join(row) for row in rows)]
    table = read_table(write(tmp_path_factory.mktemp("tsv"), "a.tsv", "\n".join(lines) + "\n"))
    assert list(zip(table.texts, table.labels, strict=True)) == rows


@given(st.lists(st.tuples(ANY, LABEL), min_size=1))
def test_jsonl_is_read_as_written(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    lines = [json.dumps({"id": 1, "content": text, "class": label}) for text, label in rows]
    table = read_table(write(tmp_path_factory.mktemp("jsonl"), "a.jsonl", "\n".join(lines)))
    assert list(zip(table.texts, table.labels, strict=True)) == rows


@given(st.lists(st.tuples(ANY, st.integers(-3, 9)), min_size=1))
def test_parquet_is_read_as_written(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]]) -> None:
    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    texts, labels = zip(*rows, strict=True)
    pq.write_table(pa.table({"other": [0.5] * len(rows), "text": list(texts), "label": list(labels)}), path)
    table = read_table(path)
    assert table.texts == list(texts)
    assert table.labels == [str(label) for label in labels]


def test_a_file_without_header_is_text_then_label(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.tsv", 'say "hi"\tgood\nbye\tbad\nhello\tgood\r\nno\tbad\n'))
    assert table.texts == ['say "hi"', "bye", "hello", "no"]
    assert table.labels == ["good", "bad", "good", "bad"]
    assert table.columns is None


def test_a_file_without_header_may_have_the_label_first(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "a.csv", "1,fine\n0,poor\n1,nice\n0,sad\n"))
    assert table.labels == ["1", "0", "1", "0"]
    assert table.texts[0] == "fine"


def test_columns_are_chosen_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,summary,label,stars\nlong,short,x,5\nlonger,shorter,y,4.0\n")
    table = read_table(path, Reading(text_column="summary", label_column="stars"))
    assert table.texts == ["short", "shorter"]
    assert table.labels == ["5", "4.0"]


def test_numbers_that_are_whole_are_one_label(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "label": [3.0, 2.5]}), path)
    assert read_table(path).labels == ["3", "2.5"]


def test_a_byte_order_mark_and_semicolons_are_understood(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", b"\xef\xbb\xbftext;label\na, b;x\nc;y\n")
    assert read_table(path).texts == ["a, b", "c"]


def test_texts_of_100_000_characters_are_read(tmp_path: Path) -> None:
    long = "word " * 40_000
    assert read_table(write(tmp_path, "a.csv", f"text,label\n{long},x\nb,y\n")).texts[0] == long


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    assert "is empty" in problem(write(tmp_path, name, b""))


@pytest.mark.parametrize("content", ["text,label\n", "\n\n"])
def test_a_file_without_rows(tmp_path: Path, content: str) -> None:
    assert "holds no rows" in problem(write(tmp_path, "a.csv", content))


def test_an_unknown_extension(tmp_path: Path) -> None:
    assert "an Excel workbook; save its sheet as CSV" in problem(write(tmp_path, "a.xlsx", b"PK"))
    message = problem(write(tmp_path, "a.html", b"<p>"))
    assert ".html" in message
    assert ".parquet" in message


def test_text_that_is_not_utf8_names_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", b"text,label\ngut,x\n" + "Größe,y\n".encode("latin-1"))
    assert "line 3 is not UTF-8" in problem(path)


def test_an_empty_text_names_its_line(tmp_path: Path) -> None:
    assert "line 3: empty text" in problem(write(tmp_path, "a.csv", "text,label\na,x\n  ,y\n"))
    assert "line 2: empty text (1 of 2 rows)" in problem(
        write(tmp_path, "a.jsonl", '{"text":"a","label":1}\n{"label":1}\n')
    )


@pytest.mark.parametrize("label", ["", "NaN", " "])
def test_a_missing_label_names_its_line(tmp_path: Path, label: str) -> None:
    assert "line 3: the label is missing" in problem(write(tmp_path, "a.csv", f"text,label\na,x\nb,{label}\n"))


def test_a_missing_label_in_parquet_names_its_row(tmp_path: Path) -> None:
    for name, values in (("none.parquet", [1.0, None]), ("nan.parquet", [1.0, float("nan")])):
        pq.write_table(pa.table({"text": ["a", "b"], "label": values}), tmp_path / name)
        assert "row 2: the label is missing" in problem(tmp_path / name)


def test_lines_are_counted_over_quoted_newlines(tmp_path: Path) -> None:
    assert "line 4: empty text" in problem(write(tmp_path, "a.csv", 'text,label\n"a\nb",x\n"",y\n'))


def test_duplicate_columns(tmp_path: Path) -> None:
    assert "more than one column named 'text'" in problem(write(tmp_path, "a.csv", "text,text,label\na,b,x\n"))
    assert "a key occurs twice" in problem(write(tmp_path, "a.jsonl", '{"text":"a","text":"b","label":1}'))
    columns = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"]), pa.array([1])], names=["text", "text", "label"])
    pq.write_table(columns, tmp_path / "a.parquet")
    assert "more than one column named 'text'" in problem(tmp_path / "a.parquet")


def test_rows_of_other_lengths(tmp_path: Path) -> None:
    assert "line 3 has 1 columns, line 1 has 2" in problem(write(tmp_path, "a.csv", "text,label\na,x\nb\n"))
    assert "line 2 has 3 columns" in problem(write(tmp_path, "a.tsv", "a\tx\nb\tc\ty\n"))


def test_an_open_quote(tmp_path: Path) -> None:
    assert "line 2" in problem(write(tmp_path, "a.csv", 'text,label\n"a,x\nb,y\n'))


def test_columns_that_cannot_be_guessed_are_listed(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "headline,stars,text2\na,1,b\nc,2,d\n")
    assert "--text-column" in problem(path)
    assert "its columns: headline, stars, text2" in problem(path, None, "stars")
    assert "no column 'label'" in problem(path, "headline", "label")
    assert "cannot be both" in problem(path, "stars", "stars")


def test_a_first_line_that_may_be_a_header_is_not_guessed_at(tmp_path: Path) -> None:
    assert "may be a header" in problem(write(tmp_path, "a.csv", "headline,kind\na,x\nb,y\nc,x\nd,y\n"))


def test_a_corrupt_parquet_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a" * 100] * 50, "label": [0, 1] * 25}), path)
    assert "no readable parquet" in problem(write(tmp_path, "half.parquet", path.read_bytes()[:-20]))
    assert "no readable parquet" in problem(write(tmp_path, "text.parquet", "text,label\na,x\n"))


def test_broken_json_names_its_line(tmp_path: Path) -> None:
    assert "line 2 is not a JSON object" in problem(write(tmp_path, "a.jsonl", '{"text":"a","label":1}\n{"text":\n'))
    assert "record 1 is not a JSON object" in problem(write(tmp_path, "b.jsonl", "[1]\n"))
    assert "not valid Unicode" in problem(write(tmp_path, "c.jsonl", '{"text":"\\ud800","label":1}'))


def test_a_text_column_of_numbers_is_refused(tmp_path: Path) -> None:
    assert "the text is a int" in problem(write(tmp_path, "a.jsonl", '{"text":5,"label":1}'))
    assert "the label is a list" in problem(write(tmp_path, "b.jsonl", '{"text":"a","label":[1,2]}'))


# ---------------------------------------------------------------- the shapes that people have

CASES = awkward_files()


@pytest.mark.parametrize("name", CASES)
def test_a_file_in_a_shape_that_people_have_is_read_or_asked_about(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    path = write_case(case, tmp_path)
    reading = Reading(**case.options)
    if case.refusal:
        with pytest.raises(DataError, match=case.refusal):
            read_table(path, reading)
    else:
        table = read_table(path, reading)
        assert list(zip(table.texts, table.labels, strict=True)) == case.rows


def test_empty_rows_are_dropped_when_asked_and_keep_their_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\na,x\n,y\nb,y\nc,\nd,x\n")
    assert "line 3: empty text; line 5: the label is missing (2 of 5 rows)" in problem(path)
    table = read_table(path, Reading(drop_empty=True))
    assert (table.texts, table.dropped, table.rows, table.lines) == (["a", "b", "d"], 2, [0, 2, 4], [2, 4, 6])
    many = write(tmp_path, "b.csv", "text,label\n" + ",x\n" * 20 + "a,y\n")
    assert "line 2, 3, 4, 5, 6, ...: 20 empty texts (20 of 21 rows)" in problem(many)


def test_labels_are_cleaned_with_a_note(tmp_path: Path) -> None:
    rows = ["a,cafe\u0301", "b,caf\u00e9\u200b", 'c,"""bar"""', "d,bar"]
    table = read_table(write(tmp_path, "a.csv", "text,label\n" + "\n".join(rows) + "\n"))
    assert table.labels == ["caf\u00e9", "caf\u00e9", "bar", "bar"]
    assert "3 spellings of labels were cleaned" in table.notes[0]


def test_half_a_surrogate_pair_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"text":"a","label":"x"}\n{"text":"b","label":"y\\ud83d"}\n')
    assert "line 2: the label is not valid Unicode" in problem(path)


def test_rows_beyond_the_named_columns_are_said(tmp_path: Path) -> None:
    lines = [f"ham,text {at},,," for at in range(30)] + ["spam,cut, here,,"]
    table = read_table(write(tmp_path, "a.csv", "label,text,,,\n" + "\n".join(lines) + "\n"))
    assert table.texts[-1] == "cut"
    assert table.notes == ("1 rows hold more in columns without a name, which are not read",)


def test_a_packed_file_is_refused_beyond_the_limit_or_when_damaged(tmp_path: Path) -> None:
    packed = gzip.compress(b"text,label\n" + b"a,x\n" * 100_000)
    path = write(tmp_path, "a.csv.gz", packed)
    with pytest.raises(DataError, match="holds more than 1,000 bytes"):
        read_content(path, limit_bytes=1000)
    assert "damaged or half-downloaded" in problem(write(tmp_path, "half.csv.gz", packed[: len(packed) // 2]))
    assert "is no .gz archive" in problem(write(tmp_path, "named.csv.gz", b"text,label\na,x\n"))
    several = io.BytesIO()
    with zipfile.ZipFile(several, "w") as archive:
        archive.writestr("a.csv", "text,label\n")
        archive.writestr("b.csv", "text,label\n")
    assert "holds 2 files (a.csv, b.csv)" in problem(write(tmp_path, "two.zip", several.getvalue()))


def test_what_is_asked_for_wrongly_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "text,label\na,x\nb,y\n")
    for reading, message in (
        (Reading(encoding="klingon"), "knows no encoding 'klingon'"),
        (Reading(delimiter="::"), "is not one character"),
        (Reading(delimiter="|"), "no header that names|1 columns|choose a column"),
    ):
        with pytest.raises(DataError, match=message):
            read_table(path, reading)


def test_lists_of_classes_and_chats_of_several_answers_are_refused(tmp_path: Path) -> None:
    chat = {"messages": [{"role": who, "content": "x"} for who in ("user", "assistant", "user", "assistant")]}
    assert "2 answers in one chat" in problem(write(tmp_path, "a.json", json.dumps([chat])))
    assert "has several labels" in problem(write(tmp_path, "a.txt", "__label__a __label__b text\n"))
