"""A real HTTP server on loopback that misbehaves on purpose; what a well-behaved one does, llama.cpp and vLLM show."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass
class Reply:
    """A status, a body (text as it is, anything else as JSON), headers; `cut` promises more bytes than it sends."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass
class Faulty:
    """The running server: its address, what it was asked, and how it answers (exchange `answer` as you like)."""

    url: str
    answer: Callable[[int, Body], Reply]
    asked: list[Body] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    models: Reply = field(default_factory=lambda: Reply(body={"data": [{"id": "tiny"}]}))
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def options(self) -> dict[str, Any]:
        return {"url": self.url, "model": "tiny", "retries": 2, "concurrency": 4, "texts_per_request": 1}


def classified(body: Body, classes: int = 2) -> Reply:
    """Longer texts are of a later class; logits in vLLM's form."""
    rows = [
        {"index": n, "label": None, "probs": [float(label == len(text) % classes) * 4 for label in range(classes)]}
        for n, text in enumerate(body["input"])
    ]
    return Reply(body={"data": rows, "usage": {"prompt_tokens": sum(map(len, body["input"]))}})


@contextmanager
def faulty_server(answer: Callable[[int, Body], Reply]) -> Iterator[Faulty]:
    """`answer` takes the number of the request, from 0, and its body."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            pass

        def do_GET(self) -> None:
            state.keys.append(self.headers.get("authorization"))
            self._send(state.models)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with state.lock:
                number = len(state.asked)
                state.asked.append(body)
                state.keys.append(self.headers.get("authorization"))
                state.at_once += 1
                state.most_at_once = max(state.most_at_once, state.at_once)
            try:
                self._send(state.answer(number, body))
            finally:
                with state.lock:
                    state.at_once -= 1

        def _send(self, reply: Reply) -> None:
            content = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            data = content.encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data) + 100 * reply.cut))
            self.end_headers()
            self.wfile.write(data)
            if reply.cut:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hung up is what is tested
    state = Faulty(f"http://127.0.0.1:{server.server_port}/v1", answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
