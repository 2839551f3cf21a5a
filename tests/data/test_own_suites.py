"""A user's suite is a TOML file: where the data is, how it is read, its classes, how a model is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.data.assembly import Limits
from bench.data.datasets import prepare_own_suite
from bench.data.reading import AS_IT_IS, Reading
from bench.data.suites import is_own, load_own_suite
from bench.errors import BenchError, UsageError
from bench.plan.plan import make_plan
from bench.plan.request import RunRequest

ROWS = [("1", "awful film"), ("5", "lovely film")]
TOML = """
title = "Our reviews"
data = "files/reviews.csv"
text_column = "review"
label_column = "stars"
label_map = { "1" = "bad", "5" = "good" }
class_names = ["good", "bad"]
language = "de"
note = "asked in the shop"
licence = "ours"

[prompt]
template = "Review: {text}\\nHow is it: {options}?\\nAnswer:"
label_words = { good = "gut", bad = "schlecht" }
"""


def write(folder: Path, toml: str = TOML, name: str = "shop.toml") -> Path:
    (folder / "files").mkdir(exist_ok=True)
    lines = [f"{stars},{text} {number},x" for number in range(20) for stars, text in ROWS]
    (folder / "files" / "reviews.csv").write_text("\n".join(["stars,review,junk", *lines]) + "\n", encoding="utf-8")
    (folder / name).write_text(toml, encoding="utf-8")
    return folder / name


def test_what_the_file_says_is_what_is_measured(tmp_path: Path) -> None:
    data = prepare_own_suite(load_own_suite(write(tmp_path)), AS_IT_IS, Limits(), None)
    card = data.card
    assert (card.task, card.title, card.language) == ("shop", "Our reviews", "de")
    assert data.class_names == ("good", "bad")
    assert card.source.name.endswith("files/reviews.csv")
    assert (card.source.licence, card.source.note) == ("ours", "asked in the shop")
    assert data.prompt.label_words == ("gut", "schlecht")
    assert data.prompt.template.startswith("Review: {text}")
    awful = ["awful" in text for text in data.train.texts]
    assert {data.class_names[label] for label in data.train.labels[awful]} == {"bad"}


def test_a_file_of_one_line_is_enough(tmp_path: Path) -> None:
    toml = 'data = "files/reviews.csv"\ntext_column = "review"\nlabel_column = "stars"\n'
    data = prepare_own_suite(load_own_suite(write(tmp_path, toml)), AS_IT_IS, Limits(), None)
    assert data.class_names == ("1", "5")
    assert data.card.language == "en"


def test_the_command_line_stands_above_the_file(tmp_path: Path) -> None:
    suite = load_own_suite(write(tmp_path))
    data = prepare_own_suite(suite, Reading(language="fr", text_column="junk"), Limits(), None)
    assert data.card.language == "fr"
    assert set(data.train.texts) == {"x"}


@pytest.mark.parametrize(
    ("toml", "reason"),
    [
        ("", "data is missing"),
        ('data = "nope.csv"', "nope.csv: no such file or folder"),
        ('data = "files/reviews.csv"\ntextcolumn = "x"', "textcolumn"),
        ("data = ", "is not TOML"),
        (
            'data = "files/reviews.csv"\ntext_column = "review"\nlabel_column = "stars"\n[prompt]\ntemplate = "x"',
            "{text}",
        ),
        ('data = "files/reviews.csv"\nlabel_column = "stars"\ntext_column = "gone"', "gone"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_fault(toml: str, reason: str, tmp_path: Path) -> None:
    path = write(tmp_path, toml)
    with pytest.raises(BenchError) as caught:
        prepare_own_suite(load_own_suite(path), AS_IT_IS, Limits(), None)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_names_are_never_confused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name of a built-in suite"):
        load_own_suite(write(tmp_path, name="agnews.toml"))
    assert is_own("a/b.toml")
    assert not is_own("weibo/tags-stripped")


def test_two_suites_of_one_name_and_other_data_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    mine, same = str(write(tmp_path)), str(write(other))
    with pytest.raises(UsageError, match="same name"):
        plan(mine, same)
    with pytest.raises(UsageError, match="names its own data"):
        plan(mine, data=tmp_path / "files" / "reviews.csv")


def plan(*suites: str, data: Path | None = None) -> None:
    make_plan(RunRequest(suites=suites, data=data, methods=("tfidf",)), lambda *_: None)
