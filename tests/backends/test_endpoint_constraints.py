"""Constrained answers at endpoints: what each kind of server is told, and servers that do not keep to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_server import Body, Faulty, Reply, faulty_server
from test_endpoint_faults import EXPECTED, TEXTS, WRITING, session

from backends.endpoint import client as endpoint_client
from bench.errors import EndpointFailed
from bench.types import Ending

NAMES = ["even", "odd"]
CONSTRAINED = WRITING | {"think": "none", "think_tokens": 0, "permitted": NAMES}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_client, "FIRST_BACKOFF_S", 0.01)


def name_of(body: Body) -> str:
    return NAMES[len(body["messages"][-1]["content"].removeprefix(WRITING["before"])) % 2]


def said(content: str | None, reason: str = "stop") -> Reply:
    return Reply(body={"choices": [{"index": 0, "message": {"content": content}, "finish_reason": reason}]})


def obedient(_: int, body: Body) -> Reply:
    """A server that keeps to each of the three ways, and else talks."""
    if "structured_outputs" in body or "grammar" in body:
        return said(name_of(body))
    if "response_format" in body:
        return said(json.dumps({"label": name_of(body)}, indent=1))
    return said(f"Well. The answer is {name_of(body)}." if "xx" in body["messages"][-1]["content"] else "Hm.")


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty_server(obedient) as running:
        yield running


@pytest.mark.parametrize(
    ("owner", "constrain", "field"),
    [
        ("vllm", None, "structured_outputs"),
        ("llamacpp", None, "grammar"),
        ("openai", None, "response_format"),
        (None, None, "response_format"),
        ("vllm", "json", "response_format"),
        (None, "choice", "structured_outputs"),
        (None, "grammar", "grammar"),
    ],
)
def test_a_server_is_told_in_its_own_way(
    tmp_path: Path, server: Faulty, owner: str | None, constrain: str | None, field: str
) -> None:
    server.models = Reply(body={"data": [{"id": "tiny", "owned_by": owner}]})
    options = server.options | ({"constrain": constrain} if constrain else {})
    with session(tmp_path, options, **CONSTRAINED) as opened:
        found = opened.predict(TEXTS)
        told = server.asked.copy()
        free = opened.predict_freely(TEXTS)
    assert found.labels.tolist() == EXPECTED
    assert found.endings is not None
    assert set(found.endings.tolist()) == {Ending.WHOLE}
    ways = {"structured_outputs", "grammar", "response_format"}
    assert all(ways & body.keys() == {field} for body in told)
    assert not any(ways & body.keys() for body in server.asked[len(told) :])
    assert free.labels.tolist() == [label if "xx" in text else -1 for label, text in zip(EXPECTED, TEXTS, strict=True)]


def test_the_schema_is_strict_and_leaves_room(tmp_path: Path, server: Faulty) -> None:
    with session(tmp_path, server.options, **CONSTRAINED) as opened:
        opened.predict(TEXTS[:1])
    asked = server.asked[-1]
    assert asked["response_format"]["type"] == "json_schema"
    assert asked["response_format"]["json_schema"]["strict"] is True
    assert asked["response_format"]["json_schema"]["schema"]["properties"]["label"]["enum"] == NAMES
    assert asked["max_tokens"] >= len(json.dumps({"label": "even"}))


@pytest.mark.parametrize("content", ["It is even.", '{"label": "neither"}', '{"class": "even"}', "[]", "Even"])
def test_a_server_that_does_not_keep_to_it_fails_its_row(tmp_path: Path, server: Faulty, content: str) -> None:
    server.answer = lambda _, __: said(content)
    with (
        session(tmp_path, server.options, **CONSTRAINED) as opened,
        pytest.raises(EndpointFailed, match=r"does not keep to the permitted answers \(json\): it wrote"),
    ):
        opened.predict(TEXTS)


@pytest.mark.parametrize(
    ("content", "reason", "ending"),
    [('{"lab', "length", Ending.CUT_OFF), (None, "stop", Ending.EMPTY), ("  ", "stop", Ending.EMPTY)],
)
def test_what_is_cut_off_or_empty_is_an_invalid_answer(
    tmp_path: Path, server: Faulty, content: str | None, reason: str, ending: Ending
) -> None:
    server.answer = lambda number, body: said(content, reason) if "xxx" not in name(body) else obedient(number, body)
    with session(tmp_path, server.options, **CONSTRAINED) as opened:
        found = opened.predict(TEXTS)
    assert found.labels.tolist() == [
        label if "xxx" in text else -1 for label, text in zip(EXPECTED, TEXTS, strict=True)
    ]
    assert found.endings is not None
    assert found.endings[0] == ending


def name(body: Body) -> str:
    content: str = body["messages"][-1]["content"]
    return content


def test_completions_of_unknown_software_cannot_be_constrained(tmp_path: Path, server: Faulty) -> None:
    settings: dict[str, Any] = CONSTRAINED | {"api": "completions"}
    with pytest.raises(EndpointFailed, match="constrain chats alone"), session(tmp_path, server.options, **settings):
        pass
