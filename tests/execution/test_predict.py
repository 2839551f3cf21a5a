"""Labels of files: one line or record in, one row out."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.data.reading import AS_IT_IS, Reading
from bench.errors import DataError, UsageError
from bench.execution.predict import Predictor
from bench.execution.predict_columns import answer_columns
from bench.execution.predict_files import label_file, read_lines, rows_of
from bench.machine.terminal import make_streams_safe
from bench.types import Dataset, Recipe
from trainers.tfidf import TfidfTrainer

ODD = "superb\n\n  \nsuperb\u2028and dreadful\nsuperb\x0cdreadful\nsuperb\x85dreadful\nsuperb\rdreadful\r\nlast"


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    folder = tmp_path_factory.mktemp("classifier")
    from bench.data.assembly import Limits
    from bench.data.datasets import prepare_own_dataset

    texts = folder / "two.csv"
    lines = [f"the soup was {('dreadful', 'superb')[at % 2]} {at},{('neg', 'pos')[at % 2]}\n" for at in range(60)]
    texts.write_text("text,label\n" + "".join(lines), encoding="utf-8")
    data: Dataset = prepare_own_dataset(texts, AS_IT_IS, Limits(), None)
    recipe = Recipe(id="tfidf", title="TF-IDF", method="tfidf")
    trainer = TfidfTrainer(recipe, None, folder / "cache")
    (folder / "out").mkdir()
    trainer.fit(data, 0, folder / "out", lambda *_: None)
    with Predictor([folder / "out"], None, "cpu", 1) as opened:
        yield opened


def test_only_line_feeds_end_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes(b"\xef\xbb\xbf" + ODD.encode())
    expected = ["superb", "", "  ", "superb\u2028and dreadful", "superb\x0cdreadful", "superb\x85dreadful"]
    assert list(read_lines(path)) == list(enumerate([*expected, "superb\rdreadful", "last"], start=1))
    path.write_bytes(ODD.encode("utf-16"))
    assert [text for _, text in read_lines(path)] == [*expected, "superb\rdreadful", "last"]
    path.write_bytes("größer\nböse\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"line 1 is not UTF-8 text; give .* --encoding cp1252 reads 'größer'"):
        list(read_lines(path))
    assert [text for _, text in read_lines(path, "cp1252")] == ["größer", "böse"]


def test_a_row_a_line_with_its_number(tmp_path: Path, predictor: Predictor) -> None:
    path, out = tmp_path / "lines.txt", tmp_path / "out.json"
    path.write_bytes(ODD.encode())
    assert label_file(predictor, path, AS_IT_IS, out, as_json=True) == 8
    rows = json.loads(out.read_text(encoding="utf-8"))
    assert [row["line"] for row in rows] == list(range(1, 9))
    assert [row["models"][0]["label"] for row in rows][:3] == ["pos", None, None]


def test_a_table_comes_out_with_its_columns_and_the_answers(tmp_path: Path, predictor: Predictor) -> None:
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_text('id;review;label\n1;"a superb; soup";x\n2;;x\n3;dreadful;x\n', encoding="utf-8")
    assert label_file(predictor, path, Reading(text_column="review"), out, as_json=False) == 3
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8")), delimiter=";"))
    assert [row["predicted_label"] for row in rows] == ["pos", "", "neg"]
    assert [row["review"] for row in rows] == ["a superb; soup", "", "dreadful"]
    assert float(rows[0]["probability of pos"]) > 0.5 > float(rows[0]["probability of neg"])
    single = tmp_path / "one.csv"
    single.write_text("text\nsuperb, really\ndreadful\n", encoding="utf-8")
    assert [row["models"][0]["label"] for row in rows_of(predictor, single, AS_IT_IS)] == ["pos", "neg"]


def test_json_lines_and_parquet_keep_their_form(tmp_path: Path, predictor: Predictor) -> None:
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    records = [{"id": 1, "data": {"text": "superb"}}, {"id": 2, "data": {"text": "dreadful"}, "label": "old"}]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    assert label_file(predictor, path, Reading(text_column="data.text"), out, as_json=False) == 2
    found = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert (found[0]["data"], found[0]["label"]) == ({"text": "superb"}, "pos")
    assert (found[1]["label"], found[1]["predicted_label"]) == ("old", "neg")
    table, labelled = tmp_path / "in.parquet", tmp_path / "out.parquet"
    pq.write_table(pa.table({"n": pa.array([1, 2], pa.int8()), "text": ["superb", None]}), table)
    assert label_file(predictor, table, AS_IT_IS, labelled, as_json=False) == 2
    read = pq.read_table(labelled)
    assert read.schema.field("n").type == pa.int8()
    assert read.column("label").to_pylist() == ["pos", None]
    with pytest.raises(UsageError, match="--out"):
        label_file(predictor, table, AS_IT_IS, None, as_json=False)


def test_a_column_that_cannot_be_guessed_is_asked_for(tmp_path: Path, predictor: Predictor) -> None:
    path = tmp_path / "in.csv"
    path.write_text("a,b\nsuperb,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="--text-column"):
        list(rows_of(predictor, path, AS_IT_IS))


# ---------------------------------------------------------------- one row in, one row out


def test_carriage_returns_end_lines_where_nothing_else_does(tmp_path: Path, predictor: Predictor) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes(b"superb\rdreadful\r\rsuperb\r")
    assert [text for _, text in read_lines(path)] == ["superb", "dreadful", "", "superb"]
    path.write_bytes("superb\rdreadful".encode("utf-16"))
    assert [text for _, text in read_lines(path)] == ["superb", "dreadful"]
    table = tmp_path / "old.csv"
    table.write_bytes(b"id,text\r1,superb\r2,dreadful\r")
    assert [row["models"][0]["label"] for row in rows_of(predictor, table, AS_IT_IS)] == ["pos", "neg"]


def test_blank_cells_of_the_only_column_and_a_first_blank_text_keep_their_rows(
    tmp_path: Path, predictor: Predictor
) -> None:
    path, out = tmp_path / "one.csv", tmp_path / "out.csv"
    path.write_text('text\n\nsuperb\n""\ndreadful\n\n', encoding="utf-8")
    assert label_file(predictor, path, AS_IT_IS, out, as_json=False) == 5
    rows = list(csv.reader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert rows[0] == ["text", "label", "confidence", "probability of neg", "probability of pos"]
    assert {len(row) for row in rows} == {5}
    assert [row[1] for row in rows[1:]] == ["", "pos", "", "neg", ""]


def test_a_header_alone_comes_out_with_the_columns_of_the_answers(tmp_path: Path, predictor: Predictor) -> None:
    path, out = tmp_path / "none.csv", tmp_path / "out.csv"
    path.write_text("id,text\n", encoding="utf-8")
    assert label_file(predictor, path, AS_IT_IS, out, as_json=False) == 0
    assert out.read_text() == "id,text,label,confidence,probability of neg,probability of pos\n"


def test_columns_that_are_taken_stay(tmp_path: Path, predictor: Predictor) -> None:
    path, out = tmp_path / "again.csv", tmp_path / "out.csv"
    path.write_text("text,label,predicted_label\nsuperb,a,b\n", encoding="utf-8")
    label_file(predictor, path, AS_IT_IS, out, as_json=False)
    [row] = csv.DictReader(io.StringIO(out.read_text(encoding="utf-8")))
    assert (row["label"], row["predicted_label"], row["predicted_predicted_label"]) == ("a", "b", "pos")


def test_models_of_one_name_have_columns_of_their_own() -> None:
    answers = [
        {"model": f"{place}/tfidf", "label": place, "confidence": 0.5, "probabilities": {}} for place in ("old", "new")
    ]
    assert answer_columns(answers, ()) == {
        "old/tfidf.label": "old",
        "old/tfidf.confidence": 0.5,
        "new/tfidf.label": "new",
        "new/tfidf.confidence": 0.5,
    }


def test_records_of_a_list_come_out_as_they_were(tmp_path: Path, predictor: Predictor) -> None:
    path, out = tmp_path / "in.json", tmp_path / "out.json"
    records = [{"id": 1, "data": {"text": "superb"}}, {"data": {"text": "dreadful"}, "tags": ["a", {"b": 1}]}]
    path.write_text(json.dumps(records), encoding="utf-8")
    label_file(predictor, path, Reading(text_column="data.text"), out, as_json=False)
    found = json.loads(out.read_text(encoding="utf-8"))
    assert [{key: row[key] for key in before} for row, before in zip(found, records, strict=True)] == records
    assert [row["label"] for row in found] == ["pos", "neg"]
    assert found[1].keys() == {"data", "tags", "label", "confidence", "probabilities"}


@pytest.mark.parametrize(
    "content",
    [
        b"id,text\n1,superb\rstew\n2,dreadful\n",
        b'id,text\r\n1,"superb\rstew"\r\n2,dreadful\r\n',
        b"id,text\n\r1,superb\n\r2,dreadful\n\r",
        b"id,text\r\r\n1,superb\r\r\n2,dreadful\r\r\n",
        b"id,text\n1,superb\n2,dreadful\n\x1a",
        "id,text\n1,superb\u2028\x85\x0c\x1c\n2,dreadful\n".encode(),
    ],
)
def test_strange_line_ends_are_no_rows(tmp_path: Path, predictor: Predictor, content: bytes) -> None:
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    path.write_bytes(content)
    assert label_file(predictor, path, AS_IT_IS, out, as_json=False) == 2
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["label"]) for row in rows] == [("1", "pos"), ("2", "neg")]


def test_a_row_that_does_not_fit_makes_no_single_column(tmp_path: Path, predictor: Predictor) -> None:
    path = tmp_path / "in.csv"
    path.write_text("id,text\n1,superb\n2,dreadful, really\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"in\.csv line 3 has 3 columns, line 1 has 2"):
        list(rows_of(predictor, path, AS_IT_IS))


def test_half_of_a_surrogate_pair_is_named_or_written_by_its_number(tmp_path: Path, predictor: Predictor) -> None:
    path, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    path.write_text('{"text": "superb \\ud83d"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"in\.jsonl line 1: the text is not valid Unicode"):
        label_file(predictor, path, AS_IT_IS, out, as_json=False)
    path.write_text('{"text": "superb", "by": "\\ud83d"}\r{"text": "dreadful"}', encoding="utf-8")
    assert label_file(predictor, path, AS_IT_IS, out, as_json=False) == 2
    assert json.loads(out.read_text(encoding="utf-8").splitlines()[0])["by"] == "\ud83d"


# ---------------------------------------------------------------- where the rows go


def test_the_texts_and_what_was_there_survive_a_failure(tmp_path: Path, predictor: Predictor) -> None:
    path = tmp_path / "in.csv"
    path.write_text("id,text\n1,superb\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"in\.csv is the file of the texts itself"):
        label_file(predictor, path, AS_IT_IS, path, as_json=False)
    assert path.read_text() == "id,text\n1,superb\n"
    out = tmp_path / "out.csv"
    out.write_text("of yesterday")
    with pytest.raises(DataError):
        label_file(predictor, path, Reading(text_column="none"), out, as_json=False)
    assert out.read_text() == "of yesterday"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["in.csv", "out.csv"]


@pytest.mark.parametrize(
    ("name", "out", "as_json"),
    [("in.csv", "out.parquet", False), ("in.parquet", "out.csv", False), ("in.csv", "out.csv", True)],
)
def test_a_file_named_for_another_format_is_refused(
    tmp_path: Path, predictor: Predictor, name: str, out: str, as_json: bool
) -> None:
    path = tmp_path / name
    if name.endswith(".csv"):
        path.write_text("id,text\n1,superb\n", encoding="utf-8")
    else:
        pq.write_table(pa.table({"text": ["superb"]}), path)
    with pytest.raises(UsageError, match=r"the rows come out as (csv|parquet|json); name a file that ends in \."):
        label_file(predictor, path, AS_IT_IS, tmp_path / out, as_json)
    assert not (tmp_path / out).exists()


@pytest.mark.parametrize("as_json", [True, False])
def test_letters_that_a_pipe_lacks_are_data_all_the_same(
    tmp_path: Path, predictor: Predictor, as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cron's ASCII: what stands in a message may be spelt otherwise, what stands in a row may not."""
    path, text = tmp_path / "in.csv", "superb – 東京 é \U0001f600"
    path.write_text(f"id,text\n1,{text}\n", encoding="utf-8")
    pipe = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(pipe, encoding="ascii"))
    make_streams_safe()
    label_file(predictor, path, AS_IT_IS, None, as_json)
    sys.stdout.flush()
    written = pipe.getvalue().decode("utf-8")
    rows = json.loads(written) if as_json else list(csv.DictReader(io.StringIO(written)))
    assert rows[0]["text"] == text
