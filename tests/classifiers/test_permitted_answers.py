"""Constrained answers: every spelling of a permitted one and nothing else, and their certificate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import vllm_classifiers as wide
from byte_tokenizers import END, byte_tokenizer
from tiny_classifiers import finish, tiny_texts
from tiny_models import CLASS_NAMES
from tokenizers import Tokenizer

from backends.eager import EagerBackend
from backends.packed.engine import PackedBackend
from bench.classifiers.generation import Generator
from bench.classifiers.permitted_answers import answer_grammar, answer_schema, most_tokens, read_permitted
from bench.classifiers.permitted_tokens import OnlyPermitted, PermittedTokens
from bench.classifiers.written_answers import Written
from bench.errors import NotAvailable
from bench.plan.engines import load_engines
from bench.quality.parity import certify_constraint, constraint_warnings
from bench.results.records import Answers
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, Ending, Prediction, Workplace

ODD = (" Sports", " C++", " C", ' "quo\\te"', " 体育", " 😀 a|b", " line\nbreak", " (a)")
TEXTS = tiny_texts(24)


def whole_answers(permitted: PermittedTokens, tokenizer: Tokenizer) -> set[str]:
    """Every text that the masks let be written, followed token by token."""
    found, open_ = set(), [()]
    while open_:
        written: tuple[int, ...] = open_.pop()  # type: ignore[assignment]
        for token in permitted.after(written):
            if token == END:
                found.add(tokenizer.decode(list(written)))
            else:
                open_.append((*written, token))  # type: ignore[arg-type]
    return found


def test_masks_let_exactly_the_answers_be_written() -> None:
    tokenizer = byte_tokenizer("ĠSports", "ĠC")
    permitted = PermittedTokens(ODD, tokenizer, [END], tokenizer.get_vocab_size())
    assert whole_answers(permitted, tokenizer) == set(ODD)
    first = {tokenizer.id_to_token(token) for token in permitted.after(())}
    assert first >= {"Ġ", "ĠS", "ĠSports", "ĠC"}  # every spelling, as a server's grammar has it
    assert permitted.after(tokenizer.encode(" C").ids) == sorted([END, tokenizer.token_to_id("+")])


def test_padded_logits_and_several_ends_are_known() -> None:
    tokenizer = byte_tokenizer()
    permitted = PermittedTokens(["a"], tokenizer, [END, 5], tokenizer.get_vocab_size() + 50)
    assert permitted.after(tokenizer.encode("a").ids) == [END, 5]


def test_words_between_spaces_are_written_as_the_tokenizer_spells_them(tmp_path: Path) -> None:
    classifier = wide.generate(tmp_path / "c")
    tokenizer = load_tokenizer(classifier).tokenizer
    permitted = PermittedTokens([" sports", " money team"], tokenizer, [3], 80)
    sports, money, team = (tokenizer.token_to_id(word) for word in ("sports", "money", "team"))
    assert permitted.after(()) == sorted([sports, money])
    assert permitted.after([money]) == [team]
    assert permitted.after([sports]) == [3]


def test_a_model_without_an_end_is_refused() -> None:
    tokenizer = byte_tokenizer()
    with pytest.raises(NotAvailable, match="no token that ends a text"):
        PermittedTokens(["a"], tokenizer, [], tokenizer.get_vocab_size())


def test_an_ended_row_of_a_batch_is_left_alone() -> None:
    tokenizer = byte_tokenizer()
    permitted = PermittedTokens(["ab"], tokenizer, [END], tokenizer.get_vocab_size())
    a, b = tokenizer.encode("ab").ids
    ids = torch.tensor([[9, a], [9, END]])
    masked = OnlyPermitted(permitted, 1, [END])(ids, torch.zeros(2, tokenizer.get_vocab_size()))  # type: ignore[arg-type]
    assert torch.isfinite(masked[0]).nonzero().flatten().tolist() == [b]
    assert torch.isfinite(masked[1]).nonzero().flatten().tolist() == [END]


def test_there_is_room_for_the_longest_answer_in_single_bytes() -> None:
    tokenizer = byte_tokenizer()
    assert most_tokens(ODD) == max(len(tokenizer.encode(answer).ids) for answer in ODD) + 1


def test_what_servers_are_told_holds_every_answer() -> None:
    assert answer_schema(ODD)["properties"]["label"]["enum"] == list(ODD)
    assert answer_grammar(['a"b', "c\\d", "e\nf", "体"]) == 'root ::= "a\\"b" | "c\\\\d" | "e\\U0000000af" | "体"'


@pytest.mark.parametrize(
    ("text", "cut", "expected"),
    [
        (" C++", False, (1, Ending.WHOLE)),
        ("C", False, (2, Ending.WHOLE)),
        ("C", True, (-1, Ending.CUT_OFF)),  # the start of C++ too
        ("", False, (-1, Ending.EMPTY)),
        ("C is it", False, (-1, Ending.WHOLE)),
    ],
)
def test_a_constrained_answer_is_read_as_it_stands(text: str, cut: bool, expected: tuple[int, Ending]) -> None:
    assert read_permitted(Written(text, cut), ODD) == expected


# ---------------------------------------------------------------- in an engine


def constrained(folder: Path, think_tokens: int = 0) -> Classifier:
    free = wide.generate(folder, think_tokens)
    permitted = [f" {name}" for name in CLASS_NAMES]
    return finish(folder, "generate", **(free.manifest.settings | {"permitted": permitted}))


def opened(classifier: Classifier, backend: Any = EagerBackend, name: str = "eager") -> Any:
    return backend(load_engines()[name], Workplace("cpu", 1, Path())).load(classifier)


@pytest.mark.parametrize("think_tokens", [0, 6])
def test_every_constrained_answer_is_valid_and_likeliest(tmp_path: Path, think_tokens: int) -> None:
    """Answers of one token: the likeliest of the classes' tokens behind the prompt (and the thought)."""
    classifier = constrained(tmp_path / "c", think_tokens)
    session = opened(classifier)
    prediction, free = session.predict(TEXTS), session.predict_freely(TEXTS)
    assert (prediction.labels >= 0).all()
    assert set(prediction.endings.tolist()) == {Ending.WHOLE}
    assert (free.labels < 0).any()
    assert (free.endings == Ending.CUT_OFF).any()
    if think_tokens:
        return
    tokenizer = load_tokenizer(classifier)
    model = Generator(classifier, tokenizer.tokenizer, torch.float32, "cpu").model
    names = [tokenizer.tokenizer.token_to_id(name) for name in CLASS_NAMES]
    for ids, label in zip(tokenizer.encode(TEXTS).ids, prediction.labels, strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1]
        assert int(logits[names].argmax()) == label


def test_a_batch_answers_as_each_text_alone_and_as_the_packed_engine(tmp_path: Path) -> None:
    classifier = constrained(tmp_path / "c")
    session = opened(classifier)
    labels = session.predict(TEXTS).labels.tolist()
    assert [int(session.predict([text]).labels[0]) for text in TEXTS] == labels
    assert opened(classifier, PackedBackend, "packed").predict(TEXTS).labels.tolist() == labels


# ---------------------------------------------------------------- the certificate


def answered(labels: list[int], truth: list[int]) -> Answers:
    n = len(labels)
    prediction = Prediction(np.full((n, 3), 1 / 3), np.array(labels), np.ones(n, np.int32), np.zeros(n, bool))
    return Answers(np.arange(n), np.array(truth), prediction)


def test_the_certificate_is_over_the_texts_that_both_answer() -> None:
    truth = [0, 1, 2, 0]
    found = certify_constraint(answered([0, 1, 2, 1], truth), answered([0, 1, -1, 0], truth))
    assert (found.items, found.both_valid, found.free_valid_share) == (4, 3, 0.75)
    assert found.equal_labels == pytest.approx(2 / 3)
    assert (found.lost, found.won, found.passed) == (1, 0, False)
    assert "33.3% of the 3 texts" in constraint_warnings(found)[0]
    same = certify_constraint(answered([0, 1, 2, 1], truth), answered([0, 1, -1, 1], truth))
    assert same.passed
    assert constraint_warnings(same) == ()


def test_nothing_certifies_a_constraint_where_free_writing_names_no_class() -> None:
    found = certify_constraint(answered([0, 1], [0, 1]), answered([-1, -1], [0, 1]))
    assert (found.equal_labels, found.passed) == (None, False)
    assert "none of 2 answers names a class" in constraint_warnings(found)[0]
    assert json.loads(found.model_dump_json())["equal_labels"] is None
