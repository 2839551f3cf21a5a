"""An endpoint that is down, slow, wrong, or dies half-way: counted, never taken for a slow or a wrong answer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endpoint_sessions import EXPECTED, KEY, SERVER, SHORT, TEXTS, WRITING, served, session, spec
from faulty_server import Body, Faulty, Reply, classified
from tiny_models import no_progress

from backends.endpoint.engine import EndpointBackend
from backends.endpoint.options import LISTED_TEXTS
from bench.errors import EndpointFailed, UsageError
from bench.speed.loadgen import run_scenario
from bench.speed.server_scenario import run_server
from bench.types import Workplace

pytestmark = pytest.mark.usefixtures("short_pauses")


def test_a_good_server_is_asked_as_often_at_once_as_the_option_says(tmp_path: Path, server: Faulty) -> None:
    def slowly(_: int, body: Body) -> Reply:
        time.sleep(0.03)
        return classified(body)

    server.answer = slowly
    with session(tmp_path, server.options) as opened:
        prediction = opened.predict(TEXTS)
    assert prediction.labels.tolist() == EXPECTED
    assert prediction.probabilities.dtype == np.float32
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1.0, rtol=1e-6)
    assert prediction.token_counts.tolist() == [len(text) for text in TEXTS]
    assert server.most_at_once == 4
    assert len(server.asked) == len(TEXTS)


def test_several_texts_a_request(tmp_path: Path, server: Faulty) -> None:
    with session(tmp_path, server.options | {"texts_per_request": 5}) as opened:
        prediction = opened.predict(TEXTS)
        assert prediction.labels.tolist() == EXPECTED
        assert prediction.token_counts.sum() == sum(map(len, TEXTS))
        assert opened.predict([]).probabilities.shape == (0, 2)
    assert sorted(len(body["input"]) for body in server.asked) == [2, 5, 5]


@pytest.mark.parametrize(("texts", "sizes"), [(1, {1}), (12, {3}), (100, {LISTED_TEXTS, 4})])
def test_lists_are_sent_to_an_api_that_takes_them(tmp_path: Path, server: Faulty, texts: int, sizes: set[int]) -> None:
    """Unless the options say otherwise; few texts are spread over all requests in flight."""
    with session(tmp_path, server.options | {"texts_per_request": None}) as opened:
        assert (opened.predict([TEXTS[n % len(TEXTS)] for n in range(texts)]).labels >= 0).all()
        assert opened.info.details["texts_per_request"] == LISTED_TEXTS
    assert {len(body["input"]) for body in server.asked} == sizes


def test_prompts_are_sent_one_by_one(tmp_path: Path, server: Faulty) -> None:
    server.answer = lambda _, __: Reply(body={"choices": [{"index": 0, "text": "odd"}]})
    options = server.options | {"texts_per_request": None}
    with session(tmp_path, options, **WRITING | {"api": "completions", "think": "none"}) as opened:
        assert (opened.predict(TEXTS).labels == 1).all()
        assert opened.info.details["texts_per_request"] == 1
    assert [len(body["prompt"]) for body in server.asked] == [1] * len(TEXTS)


def test_long_texts_are_cut_and_counted(tmp_path: Path, server: Faulty) -> None:
    with session(tmp_path, server.options, max_characters=10) as opened:
        prediction = opened.predict(["short", "a text that is too long"])
    assert prediction.truncated.tolist() == [False, True]
    assert sorted(body["input"][0] for body in server.asked) == ["a text tha", "short"]


@pytest.mark.parametrize(
    "fault", [Reply(429, "slow down", {"retry-after": "0"}), Reply(503, {}), Reply(200, "", cut=True)]
)
def test_a_passing_fault_is_tried_again_and_counted(tmp_path: Path, server: Faulty, fault: Reply) -> None:
    server.answer = lambda number, body: fault if number == 3 else classified(body)
    with session(tmp_path, server.options) as opened:
        prediction = opened.predict(TEXTS)
        clock = opened.clock
    assert prediction.labels.tolist() == EXPECTED
    assert clock.unanswered == 0
    assert clock.failed_requests == {}
    assert clock.retried_requests == {"connection lost" if fault.cut else f"HTTP {fault.status}": 1}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Reply(200, "<html>"), "unreadable answer"),
        (Reply(200, {"data": []}), "unreadable answer"),
        (Reply(200, {"oops": 1}), "unreadable answer"),
        (Reply(200, [1, 2]), "unreadable answer"),
    ],
)
def test_what_no_retry_mends_is_no_answer(tmp_path: Path, server: Faulty, fault: Reply, reason: str) -> None:
    server.answer = lambda _, body: fault if body["input"] == [TEXTS[3]] else classified(body)
    with session(tmp_path, server.options) as opened:
        prediction = opened.predict(TEXTS)
        clock = opened.clock
    assert prediction.labels.tolist() == [*EXPECTED[:3], -1, *EXPECTED[4:]]
    assert clock.unanswered == 1
    assert clock.failed_requests == {reason: 1}
    assert len(server.asked) == len(TEXTS)


def test_a_slow_answer_is_a_failure(tmp_path: Path, server: Faulty) -> None:
    def slowly(_: int, body: Body) -> Reply:
        time.sleep(0.6 if body["input"] == [TEXTS[0]] else 0)
        return classified(body)

    server.answer = slowly
    with session(tmp_path, server.options | {"read_timeout_s": 0.2}) as opened:
        assert opened.predict(TEXTS).labels[0] == -1
        assert opened.clock.failed_requests == {"no answer within 0.2 s": 1}


def test_a_server_that_dies_half_way_is_given_up(tmp_path: Path, server: Faulty) -> None:
    server.answer = lambda number, body: classified(body) if number < 4 else Reply(500, "worker died")
    texts = TEXTS * 20
    with (
        session(tmp_path, server.options) as opened,
        pytest.raises(EndpointFailed, match=r"stopped answering after 4 of 240 texts.*HTTP 500: \d+.*worker died"),
    ):
        opened.predict(texts)
    assert len(server.asked) < 60


def test_nobody_listens(tmp_path: Path, server: Faulty) -> None:
    with pytest.raises(EndpointFailed, match=r"does not answer \(no connection: 3\); is the server running"):
        EndpointBackend(spec(server.options | {"url": "http://127.0.0.1:9/v1"}), Workplace("cpu", 1, tmp_path)).load(
            served(tmp_path / "c")
        )


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (Reply(body={"data": [{"id": "tiny-2"}, {"id": "large"}]}), "has no model 'tiny'; it serves tiny-2"),
        (Reply(401, {"error": f"bad key {KEY}"}), r"wants another key \(HTTP 401\); it refuses the key in MY_KEY"),
    ],
)
def test_a_wrong_server_is_named_at_once(
    tmp_path: Path,
    server: Faulty,
    models: Reply,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.models = models
    with pytest.raises(EndpointFailed, match=message) as caught:
        EndpointBackend(spec(server.options | {"key_env": "MY_KEY"}), Workplace("cpu", 1, tmp_path)).load(
            served(tmp_path / "c")
        )
    assert server.asked == []
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert KEY not in f"{caught.value} {caught.value.__cause__} {capfd.readouterr()}"


def test_a_redirection_is_named_and_not_followed(tmp_path: Path, server: Faulty) -> None:
    server.answer = lambda _, __: Reply(307, "", {"location": "https://127.0.0.1:9/v1/login"})
    named = r"/classify redirects to https://127\.0\.0\.1:9/v1/login \(HTTP 307\), which is not followed"
    with session(tmp_path, server.options) as opened, pytest.raises(EndpointFailed, match=named):
        opened.predict(TEXTS)


@pytest.mark.parametrize(("owner", "field"), [("llamacpp", "cache_prompt"), ("vllm", "cache_salt"), ("me", None)])
def test_no_answer_may_come_from_a_prompt_cache(tmp_path: Path, server: Faulty, owner: str, field: str | None) -> None:
    server.models = Reply(body={"data": [{"id": "tiny", "owned_by": owner}]})
    with session(tmp_path, server.options) as opened:
        opened.predict(TEXTS)
    sent = [{name: body[name] for name in ("cache_prompt", "cache_salt") if name in body} for body in server.asked]
    if field == "cache_salt":
        assert len({body["cache_salt"] for body in sent}) == len(TEXTS)
    else:
        assert all(body == ({field: False} if field else {}) for body in sent)


def test_a_server_without_a_list_of_models_is_asked_all_the_same(tmp_path: Path, server: Faulty) -> None:
    server.models = Reply(404, "no such page")
    with session(tmp_path, server.options) as opened:
        assert opened.predict(TEXTS).labels.tolist() == EXPECTED


def test_a_key_in_an_error_message_is_hidden(
    tmp_path: Path, server: Faulty, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    server.answer = lambda _, __: Reply(500, {"error": {"message": f"cannot check {KEY} now"}})
    with session(tmp_path, server.options | {"key_env": "MY_KEY"}) as opened:
        with pytest.raises(EndpointFailed, match="cannot check \\*\\*\\* now") as caught:
            opened.predict(TEXTS)
        assert KEY not in f"{caught.value} {opened.info} {capfd.readouterr()}"


def test_other_classes_or_another_order_are_no_answers(tmp_path: Path, server: Faulty) -> None:
    server.answer = lambda _, body: classified(body, classes=3)
    with session(tmp_path, server.options) as opened, pytest.raises(EndpointFailed, match="has 3 classes"):
        opened.predict(TEXTS)

    def turned(_: int, body: Body) -> Reply:
        reply = classified(body)
        for row in reply.body["data"]:
            row["label"] = "ODD" if row["probs"][0] else "EVEN"
        return reply

    server.answer = turned
    with session(tmp_path, server.options) as opened, pytest.raises(EndpointFailed, match="other order"):
        opened.predict(TEXTS)


@pytest.mark.parametrize("scenario", ["single", "offline"])
def test_a_failed_request_makes_the_run_invalid_and_no_latency(tmp_path: Path, server: Faulty, scenario: Any) -> None:
    server.answer = lambda number, body: Reply(200, "<html>") if number % 10 == 9 else classified(body)
    with session(tmp_path, server.options) as opened:
        run_, latencies_ns = run_scenario(opened, scenario, TEXTS, TEXTS, SHORT, 0, tmp_path / "log", no_progress)
    assert not run_.valid
    assert "failed requests (unreadable answer: " in run_.verdict
    assert run_.failed_requests["unreadable answer"] > 0
    if scenario == "single":
        assert run_.samples == len(latencies_ns) == run_.queries
        assert f"in {run_.queries + run_.failed_requests['unreadable answer']} queries" in run_.verdict


@pytest.mark.slow
def test_the_highest_rate_that_an_endpoint_bears(tmp_path: Path, server: Faulty) -> None:
    """At most 20 answers in a quarter of a second, else HTTP 429: a rate is found below, the refusals are counted."""
    answered_s: list[float] = []

    def limited(_: int, body: Body) -> Reply:
        with server.lock:
            now_s = time.monotonic()
            if sum(now_s - at_s < 0.25 for at_s in answered_s[-40:]) >= 20:
                return Reply(429, "", {"retry-after": "1"})
            answered_s.append(now_s)
        return classified(body)

    server.answer = limited
    halved = SERVER.model_copy(update={"server_probe_s": 0.75})
    with session(tmp_path, server.options) as opened:
        found, _ = run_server(opened, TEXTS, TEXTS, halved, 0, tmp_path / "log", no_progress)
    assert found.valid, found.verdict
    assert 1 <= found.rate_rps <= 90
    assert found.server is not None
    assert found.server.concurrency == 4
    refused = [point for point in found.server.points if point.failed_requests]
    assert refused
    assert not any(point.held for point in refused)
    turned_away = found.failed_requests.get("HTTP 429", 0) + found.retried_requests["HTTP 429"]
    assert turned_away == sum(point.failed_requests for point in refused)


@pytest.mark.slow
def test_an_endpoint_that_refuses_at_every_rate_has_none(tmp_path: Path, server: Faulty) -> None:
    server.answer = lambda number, body: Reply(429, "", {"retry-after": "0"}) if number % 10 == 9 else classified(body)
    short = SERVER.model_copy(update={"server_probe_s": 0.4})  # ten requests at least, one of them refused
    with session(tmp_path, server.options) as opened:
        found, latencies_ns = run_server(opened, TEXTS, TEXTS, short, 0, tmp_path / "log", no_progress)
    assert not found.valid
    assert found.rate_rps == 0.0
    assert len(latencies_ns) == 0
    assert "answered only at a later try (HTTP 429: " in found.verdict


@pytest.mark.parametrize(
    ("message", "label"),
    [
        ({"content": "<think>even? no</think>\n\nOdd."}, 1),
        ({"content": "Even", "reasoning_content": "odd"}, 0),
        ({"content": None, "reasoning_content": "odd, odd, od"}, -1),
        ({"content": "neither"}, -1),
    ],
)
def test_a_thought_is_not_the_answer(tmp_path: Path, server: Faulty, message: Body, label: int) -> None:
    server.answer = lambda _, __: Reply(body={"choices": [{"index": 0, "message": message}]})
    options = server.options | {"omit": ["temperature"], "body": {"reasoning_effort": "low"}}
    with session(tmp_path, options, **WRITING) as opened:
        prediction = opened.predict(["one"])
        assert prediction.labels.tolist() == [label]
        assert opened.clock.unanswered == 0
    [asked] = server.asked
    assert asked["max_tokens"] == 72
    assert asked["chat_template_kwargs"] == {"enable_thinking": True}
    assert asked["messages"] == [{"role": "user", "content": "Is it even or odd? one"}]
    assert asked["reasoning_effort"] == "low"
    assert "temperature" not in asked


@pytest.mark.parametrize("form", ["chat", "completions"])
def test_letters_are_summed_over_their_spellings(tmp_path: Path, server: Faulty, form: str) -> None:
    top = {" A": np.log(0.3), "A": np.log(0.1), " B": np.log(0.2), "Article": np.log(0.25)}
    content = [{"top_logprobs": [{"token": token, "logprob": value} for token, value in top.items()]}]
    logprobs = {"content": content} if form == "chat" else {"top_logprobs": [top]}
    server.answer = lambda _, __: Reply(body={"choices": [{"index": 0, "logprobs": logprobs}]})
    settings = WRITING | {"api": form, "reading": "logprobs", "answers": ["A", "B"], "answer_kind": "letters"}
    with session(tmp_path, server.options, **settings) as opened:
        prediction = opened.predict(["one"])
    np.testing.assert_allclose(prediction.probabilities, [[2 / 3, 1 / 3]], rtol=1e-5)


def test_without_any_class_among_the_logprobs_there_is_no_valid_answer(tmp_path: Path, server: Faulty) -> None:
    server.answer = lambda _, __: Reply(
        body={"choices": [{"index": 0, "logprobs": {"top_logprobs": [{" The": -0.1}]}}]}
    )
    settings = WRITING | {"api": "completions", "reading": "logprobs"}
    with session(tmp_path, server.options, **settings) as opened:
        assert opened.predict(["one"]).labels.tolist() == [-1]
        assert opened.clock.unanswered == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "localhost:8000"}, "url: is no address"),
        ({"url": "http://127.0.0.1:99999/v1"}, "url: is no address"),
        ({"url": "http://my host/v1"}, "url: is no address"),
        ({"url": "http://me:secret@host/v1"}, "url: must hold no user, password or query"),
        ({"url": "http://host/v1?key=secret"}, "url: must hold no user, password or query"),
        ({"url": "http://host/v1", "concurency": 3}, "did you mean concurrency"),
        ({"url": "http://host/v1", "concurrency": 0}, "concurrency"),
        ({"url": "http://host/v1", "key_env": "UNSET_KEY_OF_MINE"}, "variable UNSET_KEY_OF_MINE is not set"),
    ],
)
def test_wrong_options_stop_before_anything_runs(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        EndpointBackend.availability(spec({"model": "tiny"} | options), "cpu")
    assert "secret" not in str(caught.value)
