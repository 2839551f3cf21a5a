"""The pipeline's token hash is of what its own tokenizer reads, not of what the harness would have read."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backends.pipeline import PipelineSession
from bench.text.tokens import Encoded
from bench.types import SessionInfo

TEXTS = ("a wheat harvest", "rain")


class Tokenizer:
    """The harness' own: one id a letter, and what it is asked for around a text."""

    before, after, pad_id, max_length = "", "", 0, 8
    tokenizer = SimpleNamespace(id_to_token=lambda _: "[PAD]")

    def encode(self, texts: Sequence[str]) -> Encoded:
        ids = [[ord(letter) for letter in text][: self.max_length] for text in texts]
        return Encoded(ids, np.zeros(len(texts), dtype=bool))


def session(shift: int, asked: list[dict[str, Any]]) -> PipelineSession:
    """A session over a pipeline whose own tokenizer gives every id a shift."""

    def read(texts: Sequence[str], **options: Any) -> dict[str, Any]:
        asked.append(options)
        length = options["max_length"]
        return {"input_ids": [[ord(letter) + shift for letter in text][:length] for text in texts]}

    pipeline: Any = SimpleNamespace(tokenizer=read)
    tokenizer: Any = Tokenizer()
    return PipelineSession(pipeline, tokenizer, 8, 2, SessionInfo(load_s=0.0))


@pytest.mark.parametrize(("shift", "same"), [(0, True), (1, False)])
def test_other_ids_have_another_hash(shift: int, same: bool) -> None:
    asked: list[dict[str, Any]] = []
    assert (session(shift, asked).token_sha256(TEXTS) == Tokenizer().encode(TEXTS).sha256) is same
    assert asked == [{"truncation": True, "max_length": 8}]


def test_scores_that_are_no_numbers_are_no_answer() -> None:
    def answer(texts: Sequence[str], **_: Any) -> list[list[dict[str, Any]]]:
        return [[{"label": "0", "score": float("nan")}, {"label": "1", "score": float("nan")}] for _ in texts]

    tokenizer: Any = Tokenizer()
    pipeline: Any = answer
    prediction = PipelineSession(pipeline, tokenizer, 8, 2, SessionInfo(load_s=0.0)).predict(TEXTS)
    assert set(prediction.labels) == {-1}
