"""A request as a whole has a time limit: headers and bodies that come a byte at a time never time out otherwise."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from backends.endpoint.options import EndpointOptions
from backends.endpoint.transport import Transport

PAUSE_S = 0.02
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CONTENT = json.dumps({"data": []}).encode()
LENGTH = b"connection: close\r\ncontent-length: %d\r\n"
# each takes 600 pauses, 12 s, and never pauses for longer
PADDED = b'{"data": [], "padding": "' + b"x" * 600 + b'"}'
DRIPPING = {
    "status line": (b"", b"HTTP/1.1 200 " + b"O" * 600 + b"\r\n" + LENGTH % len(CONTENT) + b"\r\n" + CONTENT),
    "headers": (HEAD, b"x-slow: " + b"y" * 600 + b"\r\n" + LENGTH % len(CONTENT) + b"\r\n" + CONTENT),
    "body": (HEAD + LENGTH % len(PADDED) + b"\r\n", PADDED),
}


@contextmanager
def dripping(at_once: bytes, dripped: bytes, pause_s: float) -> Iterator[str]:
    """A server that answers every request so, and stops when its client has gone."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(65536)
                try:
                    client.sendall(at_once)
                    for place in range(len(dripped)):
                        client.sendall(dripped[place : place + 1])
                        time.sleep(pause_s)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def transport(url: str, read_timeout_s: float) -> Transport:
    return Transport(EndpointOptions(url=url, model="m", read_timeout_s=read_timeout_s), None)


@pytest.mark.parametrize("part", DRIPPING)
def test_what_drips_is_ended(part: str) -> None:
    import httpx2

    with dripping(*DRIPPING[part], PAUSE_S) as url:
        opened = transport(url, 0.3)
        with pytest.raises(httpx2.ReadTimeout) as ended:
            opened.send("GET", url, None, 1 << 20)
        assert opened.failure(ended.value) == ("no answer within 0.3 s", False)
        opened.close()


@pytest.mark.parametrize("part", DRIPPING)
def test_what_comes_within_its_time_is_read(part: str) -> None:
    with dripping(*DRIPPING[part], 0.0) as url:
        opened = transport(url, 60.0)
        for _ in range(2):  # the limit is each request's own
            assert json.loads(opened.send("GET", url, None, 1 << 20).content)["data"] == []
        opened.close()
