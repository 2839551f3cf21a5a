"""A written answer is read for the class it means: equal, settled on, last mentioned; never an article or a denial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.classifiers.written_answers import AnswerReader, Mentioned, Written
from bench.types import Ending

LETTERS = tuple("ABCDEFGHI")
SENTIMENTS = ("positive", "negative", "neutral")
TOPICS = ("World", "Sports", "Business", "Sci/Tech")

# class names, then what is written and the name that is read, None for no valid answer
READ: dict[tuple[str, ...], list[tuple[str, str | None]]] = {
    LETTERS: [
        ("I think the answer is B.", "B"),
        ("A clear case: B.", "B"),
        ("b", "B"),
        ("**B**", "B"),
        ("(B)", "B"),
        ("B.", "B"),
        ("B) Sports", "B"),
        ("a", "A"),
        ("I", "I"),
        ("I.", "I"),
        ("The answer is I.", "I"),
        ("I cannot say", None),
        ("I am not sure.", None),
        ("A text about cars", None),
        ("Answer: A", "A"),
        ("This is not A, it is B.", "B"),
        ("Between A, B and C: B.", "B"),
        ('{"label": "B"}', "B"),
        ('```json\n{"label": "B"}\n```', "B"),
        ('{"reasoning":"A is wrong","label":"B"}', "B"),
        ("<think>A", None),
        ("<think>A</think>B", "B"),
        ("<think>x</think>A<think>y</think>B", "B"),
        ("<think>x</think>A<think>y", None),
        ("", None),
        ("The answer is a good one.", None),
        ("I'd go with C", "C"),
        ("I choose C because A is weak", "C"),
        ("C. The others, A and B, do not fit.", "C"),
        ("答案是B。", "B"),
        ("答案：B", "B"),
        ("我认为是C", "C"),
        ("不是A，是B。", "B"),
        ("（Ｂ）", "B"),
        ("选B", "B"),
        ("It is either A or B.", None),
        ("Neither A nor B, but C.", "C"),
        ("Option B", "B"),
        ("The correct option is (B) because (A) is wrong", "B"),
        ("A+", None),
        ("$\\boxed{B}$", "B"),
        ("<answer>B</answer>", "B"),
        ("B<|im_end|>", "B"),
        ("Final answer: $B$", "B"),
        ("It costs $B", None),
        ("A is the answer.", "A"),
        ("A is clearly the best choice", "A"),
        ("A - because it fits", "A"),
        ("I think I know: a game is the topic", None),
        ("H is not right; the text says G", "G"),
        ("C\n\nText: foo\nAnswer: A", "C"),
    ],
    ("A", "A+", "B"): [
        ("A+", "A+"),
        ("The grade is A+.", "A+"),
        ("A", "A"),
    ],
    ("A", "B", "C"): [
        ("Article one. B", "B"),
        (" (B)", "B"),
        ("The answer is C.", "C"),
        ("<think>A or B</think>\n\nC", "C"),
        ("B or C? C.", "C"),
    ],
    ("C", "C++", "C#", "Java"): [
        ("C++", "C++"),
        ("C#", "C#"),
        ("C", "C"),
        ("The language is C++.", "C++"),
        ("It's C#, not C++.", "C#"),
        ("**C**", "C"),
        ("`C++`", "C++"),
        ("Written in C.", "C"),
        ("I think this is C", "C"),
    ],
    ("5*", "4*", "1*"): [
        ("5*", "5*"),
        ("**5***", "5*"),
        ("I would give 5*.", "5*"),
        ("5", "5*"),
    ],
    ("1 star", "5 stars"): [
        ("5 Stars!", "5 stars"),
    ],
    ("yes!", "no!"): [
        ("yes!", "yes!"),
        ("Yes", "yes!"),
    ],
    ("yes", "no"): [
        ("No.", "no"),
        ("The answer is no.", "no"),
        ("Yes, it is.", "yes"),
        ("There is no evidence of that.", None),
        ("I have no idea", None),
        ("no, because there's no evidence", "no"),
        ("**No** evidence.", "no"),
        ("No, it is not.", "no"),
    ],
    ("World (politics)", "World (sports)"): [
        ("World (politics)", "World (politics)"),
        ("The topic is World (sports).", "World (sports)"),
    ],
    ("card_arrival", "lost_card"): [
        ("card arrival", "card_arrival"),
        ("Card Arrival.", "card_arrival"),
        ("This is about lost card.", "lost_card"),
        ("The label is `lost_card`", "lost_card"),
    ],
    ("card arrival", "lost card"): [
        ("lost_card", "lost card"),
    ],
    SENTIMENTS: [
        ("This is not positive, it is negative.", "negative"),
        ("Positive!", "positive"),
        ("not positive", None),
        ("neither", None),
        ("unpositively", None),
        ("The sentiment isn't really positive; rather negative", "negative"),
        ("negative, not positive", "negative"),
        ("It is negative rather than positive.", "negative"),
        ("positive is wrong. negative", "negative"),
        ("Between positive, negative and neutral: neutral.", "neutral"),
        ("positive, negative", None),
        ("positive/negative", None),
        ("The sentiment is positive.", "positive"),
        ("Sentiment: positive\nReason: nothing negative", "positive"),
        ('label: "negative"', "negative"),
        ("non-positive", None),
        ("Between **positive** and **negative**: **negative**", "negative"),
        ("Not positive but neutral", "neutral"),
        ("I don't think it is positive. Negative.", "negative"),
        ("I do not think that this is positive", None),
        ("no doubt positive", "positive"),
        ('{"positive": 0.1, "negative": 0.8}', "negative"),
        ('{"sentiment": {"label":"neutral"}}', "neutral"),
        ('{"label": "neg', None),
        ("The answer is **positive**", "positive"),
        ("positive (not negative)", "positive"),
        ("neutral (leaning negative)", "neutral"),
        ("positive\nnegative\nneutral", None),
        ("“Negative”", "negative"),
        ("label=positive", "positive"),
        ("It's positive, I'd say, nothing negative here.", "positive"),
        ('{"label": "neither", "note": "positive"}', None),
        ('{"answer": "I think it is positive."}', "positive"),
        ("[1] positive", "positive"),
        ("The label is positive or negative", None),
        ("positive\n\nText: this was bad\nSentiment: negative", "positive"),
        ("positive\nnegative\nneutral\n\nAnswer: negative", "negative"),
        ("It is neither positive nor negative; it is neutral.", "neutral"),
    ],
    ("spam", "not spam"): [
        ("not spam", "not spam"),
        ("This is not spam.", "not spam"),
        ("It's spam", "spam"),
    ],
    ("spam", "ham"): [
        ("This is not spam.", None),
    ],
    ("sport", "sport news"): [
        ("It is sport news.", "sport news"),
    ],
    TOPICS: [
        ("Sci/Tech", "Sci/Tech"),
        ("Sci-Tech", "Sci/Tech"),
        ("Category: Sci/Tech", "Sci/Tech"),
        ("World, Sports, Business or Sci/Tech? Sports", "Sports"),
        ("Sports. This article talks about business and world events, but", "Sports"),
        ("Sports. No, wait: Business.", "Business"),
        ("The article is about world-class football, so Sports.", "Sports"),
        ("Science", None),
        ("World\nSports\nBusiness", None),
        ("1. World\n2. Sports", None),
    ],
    ("体育", "财经", "科技"): [
        ("这是体育新闻", "体育"),
        ("不是体育，而是财经。", "财经"),
        ("不是体育，是财经", "财经"),
        ("体育、财经和科技中：科技。", "科技"),
        ("答案：科技", "科技"),
        ("【财经】", "财经"),
        ("体育", "体育"),
        ("标签：体育。不是财经。", "体育"),
        ("人工智能", None),
    ],
    ("消极", "积极"): [
        ("这条微博很积极", "积极"),
        ("消极", "消极"),
        ("并非积极，属于消极", "消极"),
        ("不积极", None),
    ],
    ("正面", "负面"): [
        ("这不是正面的评价，而是负面的", "负面"),
    ],
    ("ポジティブ", "ネガティブ"): [
        ("ポジティブではなく、ネガティブです", "ネガティブ"),
    ],
    ("긍정", "부정"): [
        ("긍정이 아니라 부정입니다", "부정"),
    ],
    ("gut", "schlecht"): [
        ("Das ist nicht gut, sondern schlecht.", "schlecht"),
    ],
    ("bon", "mauvais"): [
        ("Ce n'est pas bon, c'est mauvais.", "mauvais"),
    ],
    ("bueno", "malo"): [
        ("No es bueno, es malo", "malo"),
    ],
    ("хорошо", "плохо"): [
        ("Это не хорошо, а плохо", "плохо"),
    ],
    ("us", "US"): [
        ("US", "US"),
        ("us", "us"),
    ],
    ("US", "World"): [
        ("Tell us more.", None),
        ("This is US news", "US"),
    ],
    ("0", "1"): [
        ("1", "1"),
        ("The label is 0.", "0"),
        ("10", None),
        ("1.0", None),
    ],
    ("1", "2", "3"): [
        ("2. because 1 is too low", "2"),
    ],
    ("none", "some"): [
        ("none", "none"),
    ],
    ("not_relevant", "relevant"): [
        ("This is not relevant", "not_relevant"),
    ],
    ("relevant", "irrelevant"): [
        ("irrelevant", "irrelevant"),
    ],
    ("it", "de", "en"): [
        ("I think it is de.", "de"),
        ("The language is it.", "it"),
        ("it", "it"),
    ],
    ("a", "b"): [
        ("The answer is B.", "b"),
        ("The answer is a good one.", None),
        ("I think it is a case of b", None),
        ("Answer: b", "b"),
    ],
    ("+", "-"): [
        ("", None),
        ("-", "-"),
        ("The answer is +", "+"),
    ],
    ("C", "C++"): [
        ("The answer is C", "C"),
    ],
}


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
