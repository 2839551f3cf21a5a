"""Reads what endpoints answer, as JSON: strictly, so that anything else counts as an unreadable answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.classifiers.written_answers import Written
from bench.errors import EndpointFailed

CUT = ("length", "max_tokens", "content_filter", "safety")  # reasons of an end that the model did not choose
MOST_TOKENS = 100_000_000  # of one request; a larger count is none


def classify_url(url: str) -> str:
    """vLLM's /classify stands beside /v1, not below it."""
    return f"{url.removesuffix('/v1')}/classify"


def read_classes(answer: Any, texts: int, classes: int) -> np.ndarray:
    """Probabilities or logits float32 (n, k) of a /classify answer; raises EndpointFailed for other classes."""
    rows = sorted(answer["data"], key=lambda row: row["index"])
    _expect(len(rows), texts)
    if any(len(row["probs"]) != classes for row in rows):
        raise EndpointFailed(f"the endpoint's model has {len(rows[0]['probs'])} classes, the classifier {classes}")
    return np.array([row["probs"] for row in rows], dtype=np.float32)


def read_choices(answer: Any, prompts: int) -> list[Any]:
    """The choices of a completion in the order of its prompts."""
    choices = sorted(answer["choices"], key=lambda choice: choice["index"])
    _expect(len(choices), prompts)
    return choices


def read_prompt_tokens(answer: Any) -> int | None:
    """How many tokens the server read; None where it does not say."""
    usage = answer.get("usage") or {}
    tokens = usage.get("prompt_tokens")
    return tokens if isinstance(tokens, int) and 0 <= tokens <= MOST_TOKENS else None


def read_written(choice: Mapping[str, Any]) -> Written:
    """What a choice says, "" for nothing; `cut` where the server says that its length or a filter ended it."""
    said = choice["message"].get("content") if "message" in choice else choice["text"]
    if isinstance(said, list):  # parts of a message
        said = "".join(str(part.get("text") or "") for part in said)
    if said is not None and not isinstance(said, str):
        raise TypeError("a written answer is no text")
    return Written(said or "", str(choice.get("finish_reason")).lower() in CUT)


def _expect(found: int, asked: int) -> None:
    if found != asked:
        raise ValueError(f"{found} answers to {asked} texts")
