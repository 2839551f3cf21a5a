"""A written answer is read for the class it means: equal, settled on, last mentioned; never an article or a denial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from written_wordings import LETTERS, READ

from bench.classifiers.written_answers import AnswerReader, Mentioned, Written
from bench.types import Ending


@pytest.mark.parametrize(("names", "written", "named"), [(k, *case) for k, cases in READ.items() for case in cases])
def test_an_answer_is_read_for_what_it_means(names: tuple[str, ...], written: str, named: str | None) -> None:
    label = AnswerReader(names).read(written)
    assert (names[label] if label >= 0 else None) == named


STATED = [
    "{name}",
    " {name} ",
    "**{name}**",
    "`{name}`",
    '"{name}"',
    "({name})",
    "{name}.",
    "{name}\n",
    "I think the answer is {name}.",
    "A clear case: {name}.",
]
STATED += [
    "Answer: {name}",
    '{{"label": "{name}"}}',
    '```json\n{{"label": "{name}"}}\n```',
    "<think>hm, {other}?</think>\n\n{name}",
]
STATED += [
    "This is not {other}, it is {name}.",
    "Between {other}, {name} and {third}: {name}.",
    "{name}\n\nBecause {other} does not fit.",
]
STATED += [
    "答案是{name}。",
    "不是{other}，而是{name}。",
    "<think>{other}</think>{other}<think>no</think>{name}",
    "{name}<|im_end|>",
]
NAMES = [
    ("C++", "C#", "Java"),
    ("C", "C++", "C#"),
    ("5*", "3*", "1*"),
    ("yes!", "no!", "maybe?"),
    ("World (politics)", "World (economy)", "Sports (other)"),
    ("A+", "A", "B-"),
    ("card_arrival", "lost_card", "top_up_failed"),
    ("Company", "Educational Institution", "Artist"),
    ("A", "B", "I"),
    ("体育", "财经", "科技"),
    ("not spam", "spam", "unsure"),
    ("0", "1", "10"),
    ("R&D", "C/C++", ".NET"),
    ("très bien", "bien", "mal"),
]


@pytest.mark.parametrize("names", NAMES, ids=", ".join)
@pytest.mark.parametrize("wording", STATED)
def test_every_wording_that_states_a_class_is_read(names: tuple[str, ...], wording: str) -> None:
    reader = AnswerReader(names)
    for label, name in enumerate(names):
        written = wording.format(name=name, other=names[label - 1], third=names[label - 2])
        assert reader.read(written) == label, written


@pytest.mark.parametrize(
    ("written", "cut", "ending"),
    [
        ("B", False, Ending.WHOLE),
        ("B, because", True, Ending.CUT_OFF),
        ("", False, Ending.EMPTY),
        (" \n", True, Ending.EMPTY),
        ("<|im_end|>", False, Ending.EMPTY),
        ("<think>B", True, Ending.CUT_OFF),
        ("<think>B", False, Ending.EMPTY),
        ("<think>B</think>", False, Ending.EMPTY),
        ("neither", False, Ending.WHOLE),
    ],
)
def test_how_an_answer_ended_is_told(written: str, cut: bool, ending: Ending) -> None:
    assert AnswerReader(LETTERS).read_ending(Written(written, cut))[1] is ending


@pytest.mark.parametrize(("written", "label"), [("C", -1), ("The answer is C", -1), ("C. It", 0), ("C++", 1)])
def test_half_a_name_at_the_limit_is_no_shorter_name(written: str, label: int) -> None:
    assert AnswerReader(["C", "C++"]).read(written, cut=True) == label
    assert AnswerReader(["C", "C++"]).read(written) == max(label, 0)


@given(st.text(), st.lists(st.text(min_size=1), min_size=1, max_size=4))
def test_reading_never_fails(written: str, names: list[str]) -> None:
    assert -1 <= AnswerReader(names).read(written) < len(names)


@pytest.mark.parametrize(
    "part", ["[", "{", "正面", "A or ", "not a ", "answer is the ", "<think></think>", "は：", "是 "]
)
def test_an_endless_answer_is_read_like_any(part: str) -> None:
    """No pattern goes back and forth over it, which would take for ever."""
    assert AnswerReader(["A", "正面", "not spam"]).read(part * 100_000) in (-1, 0, 1, 2)


@pytest.mark.parametrize(
    ("mention", "written", "label"),
    [
        ("last", "The answer is 1. No: 0", 0),
        ("last", "0 or 1? It is not 0, so 1", 1),
        ("last", "nothing", -1),
        ("first", "B, not A", 1),
        ("first", "<think>A</think>C or B", 2),
        ("settled", "It is not 0, so 1", 1),
    ],
)
def test_write_ups_that_count_a_certain_mention(mention: Mentioned, written: str, label: int) -> None:
    names = LETTERS if mention == "first" else ("0", "1")
    assert AnswerReader(names, mention).read(written) == label


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("A-", 2),
        ("A", 1),
        ("A+", 0),
        ("The grade is A-.", 2),
        ("The grade is A.", 1),
        ("(A+)", 0),
        ("a-", 2),
        ("B-", -1),
    ],
)
def test_a_sign_at_the_end_of_a_name_is_part_of_it(written: str, expected: int) -> None:
    assert AnswerReader(["A+", "A", "A-"]).read(written) == expected


def test_a_grade_that_is_no_class_is_not_the_letter_within_it() -> None:
    assert AnswerReader(["A+", "A", "B-"]).read("A-") == -1


def test_a_letter_before_a_comma_is_no_article() -> None:
    reader = AnswerReader(["A", "B", "I"])
    assert reader.read("A, because of the goal") == 0
    assert reader.read("A, B and I are wrong") == -1
