"""Templates: which braces are places, what is refused, and that what is filled in is never read."""

from __future__ import annotations

import pytest

from bench.errors import UsageError
from bench.text.prompts import IN_QUESTION, check_template, fill, halves, reword
from bench.types import Prompt, Wording

VALUES = {"options": "good or bad", "descriptions": "good: {text}", "question": "Is it {options}?"}


def test_only_named_places_are_filled() -> None:
    before, after = halves('{"a": 1} {{text}} {} {text} {options} \\frac{1}{2}', VALUES)
    assert (before, after) == ('{"a": 1} {text} {} ', " good or bad \\frac{1}{2}")


def test_what_is_filled_in_is_not_read_again() -> None:
    assert fill("{question} {descriptions}", VALUES) == "Is it {options}? good: {text}"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{text} {option}", r"unknown placeholder \{option\}; known: \{text\}, \{options\}"),
        ("{Text}", r"unknown placeholder \{Text\}"),
        ("{text} {文本}", r"unknown placeholder \{文本\}"),
        ("no place", r"hold \{text\} exactly once"),
        ("{text} {text}", r"hold \{text\} exactly once"),
        ("{{text}}", r"hold \{text\} exactly once"),
        ("{text!r}", r"hold \{text\} exactly once"),
        ("", r"hold \{text\} exactly once"),
    ],
)
def test_wrong_templates_are_refused(template: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_template(template)
    with pytest.raises(UsageError, match=message):
        halves(template, VALUES)


def test_a_question_asks_without_the_text() -> None:
    assert check_template("Is it {options}?", IN_QUESTION)
    with pytest.raises(ValueError, match=r"unknown placeholder \{text\}"):
        check_template("Is {text} good?", IN_QUESTION)


def test_a_wording_changes_what_it_names() -> None:
    prompt = Prompt(template="{text}:", label_words=("good", "bad"))
    changed = reword(prompt, Wording(label_words={"neg": "poor"}, question="Well?"), ("pos", "neg"))
    assert (changed.label_words, changed.question, changed.template) == (("good", "poor"), "Well?", "{text}:")
    assert not changed.exact
    assert reword(prompt, Wording(template="T {text}"), ("pos", "neg")).exact


@pytest.mark.parametrize(
    ("wording", "message"),
    [
        (Wording(label_words=("one",)), "1 label words for 2 classes: pos, neg"),
        (Wording(label_words={"other": "x"}), "'other' is no class; the classes are pos, neg"),
        (Wording(label_words=("a", " a ")), "must be there and differ"),
        (Wording(label_words=("a", " ")), "must be there and differ"),
        (Wording(descriptions=("one",)), "1 descriptions for 2 classes"),
    ],
)
def test_words_must_be_one_a_class(wording: Wording, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        reword(Prompt(template="{text}:", label_words=("good", "bad")), wording, ("pos", "neg"))
