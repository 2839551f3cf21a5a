"""What endpoints answer oddly: hostile bodies, refused texts, lists of models of every form, keys that come back."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endpoint_sessions import EXPECTED, SHORT, TEXTS, WRITING, session
from faulty_server import Body, Faulty, Reply, classified
from tiny_models import no_progress

from bench.errors import EndpointFailed
from bench.speed.loadgen import run_scenario
from bench.types import Ending

pytestmark = pytest.mark.usefixtures("short_pauses")


# ---------------------------------------------------------------- texts that get no answer


@pytest.mark.parametrize("code", [400, 413, 422, 451])
@pytest.mark.parametrize("texts_per_request", [1, 5])
def test_a_refused_text_is_an_invalid_answer_and_costs_no_other(
    tmp_path: Path, server: Faulty, code: int, texts_per_request: int
) -> None:
    refused = Reply(code, {"error": {"message": "content filter"}})
    server.answer = lambda _, body: refused if TEXTS[3] in body["input"] else classified(body)
    with session(tmp_path, server.options | {"texts_per_request": texts_per_request}) as opened:
        prediction = opened.predict(TEXTS)
        clock = opened.clock
    assert prediction.labels.tolist() == [*EXPECTED[:3], -1, *EXPECTED[4:]]
    assert prediction.endings is not None
    assert np.flatnonzero(prediction.endings == Ending.REFUSED).tolist() == [3]
    assert (clock.refused, clock.unanswered, clock.failed_requests) == (1, 0, {})


def test_a_server_that_refuses_every_text_is_a_failure(tmp_path: Path, server: Faulty) -> None:
    server.answer = lambda _, __: Reply(400, {"error": {"message": "temperature is not supported"}})
    with session(tmp_path, server.options) as opened:
        with pytest.raises(EndpointFailed, match=r"refuses every text; HTTP 400: 12; .*temperature is not supported"):
            opened.predict(TEXTS)
        with pytest.raises(EndpointFailed, match="refuses every text"):
            opened.predict(TEXTS * 20)
    assert len(server.asked) < 60


def test_a_firewall_that_forbids_one_text_takes_no_key(tmp_path: Path, server: Faulty) -> None:
    server.answer = lambda _, body: Reply(403, "<html>") if body["input"] == [TEXTS[3]] else classified(body)
    with session(tmp_path, server.options) as opened:
        assert opened.predict(TEXTS[:3]).labels.tolist() == EXPECTED[:3]
        assert opened.predict(TEXTS).labels.tolist() == [*EXPECTED[:3], -1, *EXPECTED[4:]]


@pytest.mark.parametrize("scenario", ["single", "offline"])
def test_a_refused_text_has_no_latency_and_no_rate(tmp_path: Path, server: Faulty, scenario: Any) -> None:
    server.answer = lambda _, body: Reply(400, {}) if body["input"][0] in TEXTS[:6] else classified(body)
    tier = SHORT.model_copy(update={"target_percentile": 50.0})
    with session(tmp_path, server.options) as opened:
        found, latencies_ns = run_scenario(opened, scenario, TEXTS, TEXTS[6:], tier, 0, tmp_path / "log", no_progress)
    assert found.valid, found.verdict
    assert found.refused > 0
    assert found.failed_requests == {}
    sent = sum(len(body["input"]) for body in server.asked if body["input"][0] not in TEXTS[:6])
    assert found.samples < sent
    if scenario == "single":
        assert len(latencies_ns) == found.samples


# ---------------------------------------------------------------- lists of models


@pytest.mark.parametrize(
    "models",
    [
        Reply(body=[{"id": "tiny"}]),
        Reply(body=["tiny"]),
        Reply(body=None),
        Reply(body={"data": None}),
        Reply(body={"object": "list", "data": []}),
        Reply(body={"models": [{"name": "tiny"}]}),
        Reply(body={"data": [{"id": "*"}]}),
        Reply(body={"data": [{"id": "ti*"}, {"id": None}]}),
        Reply(body={"data": 7}),
        Reply(200, "<html>"),
        Reply(500, "no list today"),
        Reply(403, {"error": "missing scope api.model.read"}),
        Reply(404, "no such page"),
        Reply(200, "[" * 100_000),
        Reply(302, "", {"location": "/login"}),
    ],
)
def test_an_odd_list_of_models_refuses_no_server_that_answers(tmp_path: Path, server: Faulty, models: Reply) -> None:
    server.models = models
    with session(tmp_path, server.options) as opened:
        assert opened.predict(TEXTS).labels.tolist() == EXPECTED
        assert opened.clock.failed_requests == opened.clock.retried_requests == {}


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(200, "{}", {"content-encoding": "gzip"}), "Content-Encoding says gzip, its body is something else"),
        (Reply(200, "{}", {"content-encoding": "br"}), "Content-Encoding is br, which was not asked for"),
        (Reply(200, "[" * 100_000), "nested too deeply|Expecting value"),
        (Reply(500, "[" * 100_000), "\\[\\[\\["),
        (Reply(200, '{"data": ' + "1" * 5000 + "}"), "limit .* for integer string|data"),
        (Reply(200, "x" * (9 << 20)), "too large: over 8 MB"),
        (Reply(200, "\x1b]0;owned\x07"), "owned"),
    ],
)
def test_a_hostile_body_is_an_unreadable_answer(tmp_path: Path, server: Faulty, reply: Reply, said: str) -> None:
    server.answer = lambda _, __: reply
    with session(tmp_path, server.options) as opened, pytest.raises(EndpointFailed, match=said) as caught:
        opened.predict(TEXTS)
    assert "\x1b" not in str(caught.value)


def test_a_packed_answer_is_opened_as_far_as_its_limit(tmp_path: Path, server: Faulty) -> None:
    """0.3 MB that open to 300 MB cost no more than the limit; an honest packed answer is read."""
    import tracemalloc

    bomb = gzip.compress(b'{"x":"' + b"a" * (300 << 20))
    packed: dict[str, bytes] = {}
    with raw_server(packed) as url, session(tmp_path, server.options | {"url": url, "retries": 0}) as opened:
        packed["gzip"] = gzip.compress(json.dumps(classified({"input": ["odd"]}).body).encode())
        assert opened.predict(["odd"]).labels.tolist() == [1]
        packed["gzip"] = bomb
        tracemalloc.start()
        assert opened.predict(["odd"]).labels.tolist() == [-1]
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert opened.clock.failed_requests == {"unreadable answer": 1}
    assert peak_bytes < 40 << 20


def raw_server(packed: dict[str, bytes]) -> Any:
    """Answers with the bytes under "gzip", whatever is asked."""
    from contextlib import contextmanager

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.send_error(404)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(packed["gzip"])))
            self.end_headers()
            self.wfile.write(packed["gzip"])

    @contextmanager
    def run() -> Iterator[str]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            server.server_close()

    return run()


@pytest.mark.parametrize(
    ("message", "finish", "label", "ending"),
    [
        ({"content": "odd"}, "stop", 1, Ending.WHOLE),
        ({"content": [{"type": "text", "text": "odd"}]}, "stop", 1, Ending.WHOLE),
        ({"content": "odd because"}, "length", 1, Ending.CUT_OFF),
        ({"content": "odd and"}, "content_filter", 1, Ending.CUT_OFF),
        ({"content": ""}, "content_filter", -1, Ending.EMPTY),
        ({"content": None}, "stop", -1, Ending.EMPTY),
        ({"content": ""}, "length", -1, Ending.EMPTY),
        ({"content": "<think>odd"}, "stop", -1, Ending.EMPTY),
        ({"content": "odd, I think, it is od"}, "length", -1, Ending.CUT_OFF),
        ({}, "stop", -1, Ending.EMPTY),
    ],
)
def test_cut_off_and_empty_answers_are_told(
    tmp_path: Path, server: Faulty, message: Body, finish: str, label: int, ending: Ending
) -> None:
    """Where the server opened the thought (think = "open"), what is cut off before its end is thought."""
    choice = {"index": 0, "message": message, "finish_reason": finish}
    server.answer = lambda _, __: Reply(body={"choices": [choice], "usage": {"prompt_tokens": 10**30}})
    think = "open" if label < 0 and finish == "length" else "none"
    with session(tmp_path, server.options, **WRITING | {"think": think}) as opened:
        prediction = opened.predict(["one"])
    assert prediction.labels.tolist() == [label]
    assert prediction.endings is not None
    assert prediction.endings.tolist() == [ending]
