"""Own prompts, from the command line and from dataset.json, in recipes and studies; wrong ones end in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import assert_one_line_error, bench
from tiny_models import toy_dataset

from bench.data.assembly import Limits
from bench.data.datasets import prepare_own_dataset
from bench.data.reading import AS_IT_IS
from bench.errors import DataError, UsageError
from bench.plan.choices import check_request, choose_recipes
from bench.plan.prompts import OwnPrompts, check_words, read_by_class, read_template
from bench.plan.request import RunRequest
from bench.types import Recipe

NONE_CHOSEN = RunRequest(suites=("agnews",), methods=("zero-shot", "tfidf"))


def test_one_template_changes_the_recipes_that_ask() -> None:
    own = OwnPrompts(templates=("Q: {text}\nA:",), label_words={"World": "globe"})
    request = NONE_CHOSEN.model_copy(update={"prompts": own})
    tfidf, *asked = choose_recipes(request, "small", None)
    assert tfidf.id == "tfidf"
    assert {recipe.variant_of for recipe in asked} == {"zero-shot"}
    assert all(recipe.params["template"] == "Q: {text}\nA:" for recipe in asked)
    assert all(recipe.params["label_words"] == {"World": "globe"} for recipe in asked)


def test_several_templates_are_a_study() -> None:
    own = OwnPrompts(templates=("Q: {text}\nA:", "Q: {text}\nB:", "{text} ="))
    checked = check_request(NONE_CHOSEN.model_copy(update={"prompts": own}))
    assert checked.study is not None and checked.study.axis == "prompt"
    asked = [recipe for recipe in checked.recipes if recipe.variant_of]
    assert len({recipe.id for recipe in asked}) == 3
    with pytest.raises(UsageError, match="a study of its own"):
        check_request(NONE_CHOSEN.model_copy(update={"prompts": own, "study": "shots"}))


def test_prompts_without_a_model_to_ask() -> None:
    request = RunRequest(suites=("agnews",), methods=("tfidf",), prompts=OwnPrompts(question="Which?"))
    with pytest.raises(UsageError, match="methods that ask a language model"):
        choose_recipes(request, "small", None)


def test_a_template_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text("Q: {text}\nA:\n", encoding="utf-8")
    assert read_template(str(file)) == "Q: {text}\nA:"
    assert read_template("Q: {text}\\nA:") == "Q: {text}\nA:"
    with pytest.raises(UsageError, match="neither a template"):
        read_template(str(tmp_path / "none.txt"))


def test_words_by_class(tmp_path: Path) -> None:
    file = tmp_path / "words.json"
    file.write_text('{"sports": "games, matches"}', encoding="utf-8")
    assert read_by_class("--descriptions", [str(file), "money=a=b"]) == {"sports": "games, matches", "money": "a=b"}
    with pytest.raises(UsageError, match="write CLASS=TEXT"):
        read_by_class("--label-words", ["sports"])
    zero_shot = Recipe(id="z", title="z", method="zero-shot", params={"label_words": {"sprots": "x"}})
    with pytest.raises(UsageError, match="toy, recipe 'z': label words: 'sprots' is no class"):
        check_words([zero_shot], [toy_dataset()])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--prompt", "{text} {label}"), "unknown placeholder {label}"),
        (("--prompt", "{options}"), "exactly once"),
        (("--question", "{text}?"), "unknown placeholder {text}"),
        (("--label-words", "x"), "write CLASS=TEXT"),
    ],
)
def test_wrong_options_end_in_one_line(options: tuple[str, ...], message: str) -> None:
    outcome = bench("run", "--suite", "agnews", "--methods", "zero-shot", *options)
    assert_one_line_error(outcome, 2, message)


def folder_with(tmp_path: Path, prompt: object) -> Path:
    rows = "".join(f"text number {at} is {'fine' if at % 2 else 'poor'},{at % 2}\n" for at in range(40))
    (tmp_path / "train.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    card = {"classes": ["neg", "pos"], "prompt": prompt}
    (tmp_path / "dataset.json").write_text(json.dumps(card), encoding="utf-8")
    return tmp_path


def test_dataset_json_holds_a_prompt(tmp_path: Path) -> None:
    own = {
        "template": "{descriptions}\n{text} =",
        "label_words": {"neg": "bad"},
        "descriptions": ["poor things", "fine things"],
        "wordings": {"short": {"template": "{text}?"}},
    }
    data = prepare_own_dataset(folder_with(tmp_path, own), AS_IT_IS, Limits(), None)
    assert data.prompt.exact
    assert data.prompt.label_words == ("bad", "pos")
    assert data.prompt.descriptions == ("poor things", "fine things")
    assert data.prompt.wordings["short"].template == "{text}?"


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ({"templat": "{text}"}, r"dataset\.json: prompt: templat: Extra inputs"),
        ({"template": "{txt}"}, r"unknown placeholder \{txt\}"),
        ({"wordings": {"short": {"template": "x"}}}, "wording 'short': a prompt must hold"),
        ({"label_words": ["one"]}, "1 label words for 2 classes"),
        ({"label_words": {"good": "x"}}, "'good' is no class"),
        ("{text}", r"dataset\.json: prompt"),
    ],
)
def test_wrong_prompts_of_dataset_json_are_named(tmp_path: Path, prompt: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare_own_dataset(folder_with(tmp_path, prompt), AS_IT_IS, Limits(), None)
