"""What endpoints answer oddly: hostile bodies, refused texts, lists of models of every form, keys that come back."""

from __future__ import annotations

import base64
import gzip
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from faulty_server import Body, Faulty, Reply, classified, faulty_server
from test_endpoint_faults import EXPECTED, KEY, SHORT, TEXTS, WRITING, served, session, spec
from tiny_models import no_progress

from backends.endpoint import client as endpoint_client
from backends.endpoint.engine import EndpointBackend
from backends.endpoint.redaction import redact
from bench.errors import EndpointFailed, UsageError
from bench.execution.cells import answered_from_cache
from bench.results.records import MeasuredPart, SessionCard
from bench.speed.loadgen import run_scenario
from bench.speed.warmup import repeat_speedup
from bench.types import REMOTE, Ending, Workplace


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_client, "FIRST_BACKOFF_S", 0.01)
    for name in (
        "all_proxy",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "ALL_PROXY",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty_server(lambda _, body: classified(body)) as running:
        yield running


def load(options: dict[str, Any], folder: Path) -> None:
    EndpointBackend(spec(options), Workplace("cpu", 1, folder)).load(served(folder / "c")).close()


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


# ---------------------------------------------------------------- texts answered before


class Sleeping:
    """A session on a clock of its own: texts take 2 ms give or take a quarter, and the second time a share of it."""

    def __init__(self, second: float, clock: list[float]) -> None:
        self.second, self.clock, self.seen = second, clock, set[tuple[str, ...]]()
        self.noise = np.random.default_rng(0)

    def predict(self, texts: Any) -> None:
        share = self.second if tuple(texts) in self.seen else 1.0
        self.clock[0] += 0.002 * share * self.noise.uniform(0.75, 1.25)
        self.seen.add(tuple(texts))


@pytest.mark.parametrize(("second", "cached"), [(0.4, True), (0.6, True), (1.0, False)])
def test_a_server_that_saves_on_repeated_texts_gets_no_rate(
    second: float, cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that saves 60 % made 241 texts/s read as 551: its speed-up of 2.5 is none of an honest server."""
    clock = [0.0]
    monkeypatch.setattr("bench.speed.warmup.time", SimpleNamespace(perf_counter=lambda: clock[0]))
    speedup, least = repeat_speedup(Sleeping(second, clock), TEXTS)  # type: ignore[arg-type]
    part = measured_part(REMOTE, speedup, least)
    reason = answered_from_cache([part])
    assert (reason is not None) == cached
    if reason is not None:
        assert f"{speedup:.2g} times faster the second time" in reason


@pytest.mark.parametrize(
    ("device", "least", "cached"), [("cpu", 1.4, False), ("cpu", 1.6, True), (REMOTE, 1.1, False), (REMOTE, 1.2, True)]
)
def test_the_least_speed_up_that_is_a_cache(device: str, least: float, cached: bool) -> None:
    assert (answered_from_cache([measured_part(device, least, least)]) is not None) == cached


def measured_part(device: str, speedup: float, least: float) -> MeasuredPart:
    card = SessionCard(
        load_s=0.0,
        convert_s=0.0,
        device=device,
        precision="fp32",
        threads=1,
        artifact_bytes=None,
        peak_rss_bytes=None,
        peak_device_bytes=None,
    )
    return MeasuredPart(
        session=card,
        token_sha256=None,
        predict_s=None,
        items=1,
        runs=(),
        repeat_speedup=speedup,
        least_repeat_speedup=least,
    )


# ---------------------------------------------------------------- second tries


class DroppingServer:
    """Closes every connection without a word when its sixth request comes, as one whose idle time is over."""

    def __enter__(self) -> str:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                self.asked = 0

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                self._send({"data": [{"id": "tiny"}]})

            def do_POST(self) -> None:
                self.asked += 1
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if self.asked % 6 == 0:
                    self.close_connection = True
                    return
                self._send(classified(body).body)

            def _send(self, content: Any) -> None:
                data = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}/v1"

    def __exit__(self, *_: Any) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_a_dropped_connection_is_made_again_at_once_and_the_row_stays_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_client, "FIRST_BACKOFF_S", 60.0)
    tier = SHORT.model_copy(update={"target_percentile": 50.0})
    with DroppingServer() as url, session(tmp_path, {"url": url, "model": "tiny", "retries": 1}) as opened:
        found, latencies_ns = run_scenario(opened, "single", TEXTS, TEXTS, tier, 0, tmp_path / "log", no_progress)
    assert found.valid, found.verdict
    assert found.failed_requests == {}
    assert found.retried_requests["connection lost"] >= 2
    assert len(latencies_ns) == found.samples == found.queries


def test_a_server_that_limits_its_rate_gets_the_rate_that_it_bears(tmp_path: Path, server: Faulty) -> None:
    """Five answers in any half second, the others are told to come again: no more than 10/s, however it is asked."""
    answered_s: list[float] = []

    def limited(_: int, body: Body) -> Reply:
        with server.lock:
            now_s = time.monotonic()
            if sum(now_s - at_s < 0.5 for at_s in answered_s[-10:]) >= 5:
                return Reply(429, {"error": {"message": "rate limit"}}, {"retry-after": "0.3"})
            answered_s.append(now_s)
        return classified(body)

    server.answer = limited
    tier = SHORT.model_copy(update={"target_percentile": 50.0, "min_duration_s": 1.5})
    with session(tmp_path, server.options | {"retries": 1}) as opened:
        found, _ = run_scenario(opened, "single", TEXTS, TEXTS, tier, 0, tmp_path / "log", no_progress)
        assert opened.predict(TEXTS * 2).labels.tolist() == EXPECTED * 2
    assert found.valid, found.verdict
    assert found.retried_requests["HTTP 429"] > 0
    assert found.rate_rps <= 15


@pytest.mark.parametrize(
    ("value", "told_s"),
    [
        ("0", 0),
        ("7", 7),
        ("0.25", 0.25),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("soon", None),
        ("", None),
        ("-1", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, told_s: float | None) -> None:
    from httpx2 import Headers

    from backends.endpoint.transport import Response

    assert endpoint_client._retry_after_s(Response(429, Headers({"retry-after": value}), b"")) == told_s


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


# ---------------------------------------------------------------- keys


def coded_keys() -> dict[str, str]:
    key = KEY.encode()
    whole = {
        "plain": KEY,
        "url": quote(KEY, safe="").replace("-", "%2D"),
        "percent": "".join(f"%{byte:02X}" for byte in key),
        "twice": quote("".join(f"%{byte:02x}" for byte in key)),
        "hex": key.hex(),
        "entities": "".join(f"&#{byte};" for byte in key),
        "escapes": "".join(f"\\u{byte:04x}" for byte in key),
        "backwards": KEY[::-1],
        "spaced": " ".join(KEY),
        "upper": KEY.upper(),
        "base64 twice": base64.b64encode(base64.b64encode(key)).decode(),
    }
    around = {f"base64 at {n}": base64.b64encode(b"u" * n + b":" + key + b":x").decode() for n in range(4)}
    bare = {f"base64url at {n}": base64.urlsafe_b64encode(b"?" * n + key).decode().rstrip("=") for n in range(4)}
    return whole | around | bare


@pytest.mark.parametrize("coding", list(coded_keys()))
def test_a_key_that_comes_back_is_hidden_in_any_spelling(coding: str) -> None:
    said = redact(f"I got token={coded_keys()[coding]} from you", KEY)
    assert coded_keys()[coding] not in said
    assert "***" in said or "not shown" in said


@pytest.mark.parametrize(
    "words", ["the model tiny is overloaded", "aGVsbG8gd29ybGQ= is base64 of hello world", "%41%42", ""]
)
def test_other_words_stay(words: str) -> None:
    assert redact(words, KEY) == words
    assert redact(words, None) == words


@pytest.mark.parametrize("coding", ["base64 at 1", "percent", "plain"])
def test_a_coded_key_is_in_no_error(
    tmp_path: Path, server: Faulty, coding: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    said = coded_keys()[coding]
    server.answer = lambda _, __: Reply(500, {"error": {"message": f"cannot check {said} now"}})
    with session(tmp_path, server.options | {"key_env": "MY_KEY"}) as opened:
        with pytest.raises(EndpointFailed) as caught:
            opened.predict(TEXTS)
        assert said not in f"{caught.value} {capfd.readouterr()}"
    server.models = Reply(body={"data": [{"id": f"tiny-{said}"}]})
    with pytest.raises(EndpointFailed, match=r"has no model|not shown") as caught:
        load(server.options | {"key_env": "MY_KEY"}, tmp_path)
    assert said not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("sk-secret\nX-Evil: 1", "a line break"),
        ("“sk-secret”", "LEFT DOUBLE QUOTATION MARK"),
        ("sk secret", "SPACE"),
        ("sk-secrét", "LATIN SMALL LETTER E WITH ACUTE"),
        ("sk\x00secret", "U\\+0000"),
    ],
)
def test_a_key_that_no_header_takes_is_named_by_its_variable(key: str, named: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("os.environ", {"MY_KEY": key})  # the real one takes no NUL
    with pytest.raises(UsageError, match=f"the key in MY_KEY holds .*{named}") as caught:
        EndpointBackend.availability(spec({"url": "http://127.0.0.1:9", "model": "m", "key_env": "MY_KEY"}), "cpu")
    assert "secr" not in str(caught.value)


def test_a_line_break_at_a_keys_end_is_none_of_it(tmp_path: Path, server: Faulty, monkeypatch: Any) -> None:
    monkeypatch.setenv("MY_KEY", f"{KEY}\r\n")
    load(server.options | {"key_env": "MY_KEY"}, tmp_path)
    assert server.keys == [f"Bearer {KEY}"]


# ---------------------------------------------------------------- ways to a server


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "http://127.0.0.1:9", "nonsense://", "socks4://x"])
def test_loopback_is_asked_directly(tmp_path: Path, server: Faulty, proxy: str, monkeypatch: Any) -> None:
    for name in ("ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    with session(tmp_path, server.options) as opened:
        assert opened.predict(TEXTS).labels.tolist() == EXPECTED


@pytest.mark.parametrize(
    ("variable", "proxy", "named"),
    [
        ("ALL_PROXY", "socks5://u:geheim@127.0.0.1:9", "ALL_PROXY names a SOCKS proxy|the proxy that ALL_PROXY names"),
        ("HTTP_PROXY", "http://u:geheim@127.0.0.1:9", "no connection to the proxy that HTTP_PROXY names"),
        ("http_proxy", "127.0.0.1:9", "no connection to the proxy that http_proxy names"),
        ("ALL_PROXY", "gopher://u:geheim@127.0.0.1:9", "ALL_PROXY holds no proxy's address"),
        ("ALL_PROXY", "http://[", "ALL_PROXY"),
    ],
)
def test_a_proxy_that_does_not_work_is_named(
    tmp_path: Path, variable: str, proxy: str, named: str, monkeypatch: Any
) -> None:
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(EndpointFailed, match=named) as caught:
        load({"url": "http://192.0.2.1/v1", "model": "tiny", "retries": 0}, tmp_path)
    assert "geheim" not in str(caught.value)


def test_a_proxy_is_used_for_other_hosts(tmp_path: Path, server: Faulty, monkeypatch: Any) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
    with session(tmp_path, server.options | {"url": "http://192.0.2.1/v1"}) as opened:
        assert opened.predict(TEXTS).labels.tolist() == EXPECTED


def test_an_unknown_host_is_named(tmp_path: Path) -> None:
    with pytest.raises(EndpointFailed, match=r"no such host: no-such-host\.invalid"):
        load({"url": "http://no-such-host.invalid/v1", "model": "tiny", "retries": 0}, tmp_path)


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[str]:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate),
            *("-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no openssl here to make a certificate with")

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"data": [{"id": "tiny"}]}')

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_a_self_signed_certificate_is_named_and_can_be_trusted(
    tmp_path: Path, tls_server: str, monkeypatch: Any
) -> None:
    options = {"url": f"https://{tls_server}", "model": "tiny", "retries": 0}
    with pytest.raises(EndpointFailed, match=r"TLS certificate is not trusted \(self.signed.*SSL_CERT_FILE"):
        load(options, tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    load(options, tmp_path)


def test_http_spoken_to_https_is_named(tmp_path: Path, tls_server: str) -> None:
    with pytest.raises(EndpointFailed, match="speaks TLS; ask it with https://"):
        load({"url": f"http://{tls_server}", "model": "tiny", "retries": 0}, tmp_path)


def test_https_spoken_to_http_is_named(tmp_path: Path, server: Faulty) -> None:
    with pytest.raises(EndpointFailed, match=r"no TLS with it .* an http server is asked with http://"):
        load(server.options | {"url": server.url.replace("http:", "https:")}, tmp_path)
