"""How endpoints are reached: keys that come back, proxies, certificates, addresses."""

from __future__ import annotations

import base64
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from endpoint_sessions import EXPECTED, KEY, TEXTS, served, session, spec
from faulty_server import Faulty, Reply

from backends.endpoint.engine import EndpointBackend
from backends.endpoint.redaction import redact
from bench.errors import EndpointFailed, UsageError
from bench.types import Workplace

pytestmark = pytest.mark.usefixtures("short_pauses")


def load(options: dict[str, Any], folder: Path) -> None:
    EndpointBackend(spec(options), Workplace("cpu", 1, folder)).load(served(folder / "c")).close()


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
