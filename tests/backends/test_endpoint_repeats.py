"""Endpoints asked again: texts answered before, second tries, limits of the rate."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from endpoint_sessions import EXPECTED, SHORT, TEXTS, session
from faulty_server import Body, Faulty, Reply, classified
from measured_parts import measured_part
from tiny_models import no_progress

from backends.endpoint import client as endpoint_client
from bench.execution.cells import answered_from_cache
from bench.speed.loadgen import run_scenario
from bench.speed.warmup import repeat_speedup
from bench.types import REMOTE

pytestmark = pytest.mark.usefixtures("short_pauses")


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
    part = measured_part(REMOTE, repeat_speedup=speedup, least_repeat_speedup=least)
    reason = answered_from_cache([part])
    assert (reason is not None) == cached
    if reason is not None:
        assert f"{speedup:.2g} times faster the second time" in reason


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
