"""Ends a request that as a whole takes too long: a server that sends a byte now and then never times out otherwise."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

SLEPT_THROUGH = "the whole of the answer did not come in time"


class Deadline(threading.local):
    """When the request that this thread waits for must be over, in time.monotonic(); None: whenever it will."""

    at: float | None = None

    def left_s(self, timeout_s: float | None) -> float | None:
        """The timeout of one read, cut to what is left; raises httpcore2.ReadTimeout where nothing is."""
        if self.at is None:
            return timeout_s
        left_s = self.at - time.monotonic()
        if left_s <= 0:
            raise httpcore2.ReadTimeout(SLEPT_THROUGH)
        return left_s if timeout_s is None else min(timeout_s, left_s)


class TimedTransport(httpx2.HTTPTransport):
    """As httpx2 has it, but headers and body together keep to `deadline`, however small the parts they come in."""

    def __init__(self, deadline: Deadline, **options: Any) -> None:
        super().__init__(**options)
        pool: Any = self._pool  # httpx2 has no option for it, its pools have
        pool._network_backend = _TimedNetwork(pool._network_backend, deadline)


class _TimedNetwork(httpcore2.NetworkBackend):
    def __init__(self, network: httpcore2.NetworkBackend, deadline: Deadline) -> None:
        self._network, self._deadline = network, deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        stream = self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _TimedStream(stream, self._deadline)

    def sleep(self, seconds: float) -> None:
        self._network.sleep(seconds)


class _TimedStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, timeout), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
