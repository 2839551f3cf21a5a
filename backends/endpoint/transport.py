"""Carries one request to a server and its answer back: proxies, TLS, and limits on what an answer may take."""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import httpx2

from backends.endpoint.deadline import Deadline, TimedTransport
from backends.endpoint.options import EndpointOptions
from bench.errors import EndpointFailed

MEBIBYTE = 1 << 20
LOST = "connection lost"
HUNG_UP = ("disconnected", "closed connection")  # h11's words for a connection that ended too early
PLAIN = ("", "identity")
COMPRESSED = ("gzip", "x-gzip", "deflate")
_AUTOMATIC = 32 + zlib.MAX_WBITS  # zlib finds out whether it reads gzip or deflate


@dataclass(frozen=True)
class Response:
    """An answer as it came: status, headers, and the whole body, decompressed where it was compressed."""

    status: int
    headers: httpx2.Headers
    content: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


class UnreadableAnswer(Exception):
    """An answer whose body cannot be opened, or not within its limits."""


class Transport:
    """One connection pool. A loopback address is never asked through a proxy; an answer is opened up to a size."""

    def __init__(self, options: EndpointOptions, key: str | None) -> None:
        """Raises EndpointFailed where a proxy variable holds what is no usable proxy."""
        self.options = options
        self.proxy_variable, proxy = _proxy_of(options.url)
        try:
            self._deadline = Deadline()
            self._client = httpx2.Client(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=httpx2.Timeout(options.read_timeout_s, connect=options.connect_timeout_s, pool=None),
                trust_env=False,  # the proxy is chosen here
                transport=TimedTransport(
                    self._deadline,
                    limits=httpx2.Limits(
                        max_connections=options.concurrency, max_keepalive_connections=options.concurrency
                    ),
                    trust_env=False,
                    verify=httpx2.create_ssl_context() if options.url.startswith("https:") else True,
                    proxy=proxy,
                ),
            )
        except ImportError as error:
            raise EndpointFailed(
                f"{self.proxy_variable} names a SOCKS proxy, which takes a package more: pip install socksio "
                "(or list the server's host in NO_PROXY)"
            ) from error
        except (ValueError, httpx2.InvalidURL) as error:
            raise EndpointFailed(
                f"{self.proxy_variable} holds no proxy's address such as http://host:3128 "
                "(or list the server's host in NO_PROXY)"
            ) from error
        except OSError as error:
            raise EndpointFailed(f"SSL_CERT_FILE or SSL_CERT_DIR cannot be read: {error.strerror}") from error

    def send(self, method: str, url: str, body: dict[str, Any] | None, most_bytes: int) -> Response:
        """The server's answer; raises httpx2.TransportError, or UnreadableAnswer for a body that cannot be opened."""
        self._deadline.at = time.monotonic() + self.options.read_timeout_s
        headers = {"Accept-Encoding": "identity"}
        with self._client.stream(method, url, json=body, headers=headers) as response:
            content = b"".join(self._decompress(response, most_bytes))
            return Response(response.status_code, response.headers, content)

    def _decompress(self, response: httpx2.Response, most_bytes: int) -> Iterator[bytes]:
        encoding = response.headers.get("content-encoding", "").strip().lower()
        if encoding not in (*PLAIN, *COMPRESSED):
            raise UnreadableAnswer(f"its Content-Encoding is {encoding[:40]}, which was not asked for")
        decompressor = zlib.decompressobj(_AUTOMATIC) if encoding in COMPRESSED else None
        left = most_bytes
        for chunk in response.iter_raw():
            try:
                opened = decompressor.decompress(chunk, left + 1) if decompressor else chunk
            except zlib.error as error:
                raise UnreadableAnswer(f"its Content-Encoding says {encoding}, its body is something else") from error
            left -= len(opened)
            if left < 0:
                raise UnreadableAnswer(f"it is too large: over {most_bytes / MEBIBYTE:.0f} MB")
            yield opened

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def failure(self, error: httpx2.TransportError) -> tuple[str, bool]:
        """One name a cause, so that they can be counted, and whether another try may help.

        The library's own words are not shown: they may hold addresses of proxies.
        """
        if reason := self._permanent_failure(error):
            return reason, False
        if isinstance(error, httpx2.ConnectTimeout):
            return f"no connection within {self.options.connect_timeout_s:g} s{self._through()}", True
        if isinstance(error, httpx2.TimeoutException):
            return f"no answer within {self.options.read_timeout_s:g} s", False
        return f"no connection{self._through()}" if isinstance(error, httpx2.ConnectError) else LOST, True

    def _permanent_failure(self, error: httpx2.TransportError) -> str | None:
        causes = list(_causes(error))
        tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
        if isinstance(tls, ssl.SSLCertVerificationError):
            return f"its TLS certificate is not trusted ({tls.verify_message}); SSL_CERT_FILE names whom to trust"
        if tls is not None:
            return f"no TLS with it ({tls.reason or 'failed'}); an http server is asked with http://"
        if any(isinstance(cause, socket.gaierror) for cause in causes):
            return f"no such host: {self._where()}"
        if isinstance(error, httpx2.ProxyError):
            return f"the proxy that {self.proxy_variable} names refuses"
        if isinstance(error, httpx2.RemoteProtocolError) and not any(said in str(error) for said in HUNG_UP):
            return "an answer that is no HTTP, or has headers without end"
        return None

    def speaks_tls(self) -> bool:
        """Whether a server that is asked with http:// would rather shake hands."""
        parts = urlsplit(self.options.url)
        if parts.scheme != "http" or self.proxy_variable or not parts.hostname:
            return False
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent
        timeout_s = min(self.options.connect_timeout_s, 5.0)
        try:
            with (
                socket.create_connection((parts.hostname, parts.port or 80), timeout_s) as plain,
                context.wrap_socket(plain, server_hostname=parts.hostname),
            ):
                return True
        except (OSError, ValueError):
            return False

    def _through(self) -> str:
        return f" to the proxy that {self.proxy_variable} names" if self.proxy_variable else ""

    def _where(self) -> str:
        return f"see {self.proxy_variable}" if self.proxy_variable else str(urlsplit(self.options.url).hostname)


def _proxy_of(url: str) -> tuple[str | None, str | None]:
    """The environment's variable that names a proxy for this address, and what it holds; None for a direct way."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_loopback(host) or proxy_bypass(f"{host}:{parts.port}" if parts.port else host):
        return None, None
    for name in (f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"):
        if value := os.environ.get(name, "").strip():
            return name, value if "://" in value else f"http://{value}"
    return None, None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__
