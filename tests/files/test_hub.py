"""The hub: one short attempt, then offline; a hub that hangs is as good as none."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bench.errors import NotAvailable
from bench.files import hub


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "ATTEMPT_S", 0.3)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    hub.unreachable.cache_clear()
    yield
    hub.unreachable.cache_clear()


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


class Answering(BaseHTTPRequestHandler):
    """Answers every request with 404."""

    asked = 0

    def do_HEAD(self) -> None:
        type(self).asked += 1
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def answering() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_offline_mode_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert hub.unreachable() == "offline mode (HF_HUB_OFFLINE is set)"
    with pytest.raises(NotAvailable, match="offline mode"):
        hub.fetch_file("a/b", "config.json", "0" * 40)


def test_a_hub_that_never_answers_is_given_up(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", silent)
    assert silent in (hub.unreachable() or "")
    with pytest.raises(NotAvailable, match=silent):
        hub.fetch_file("a/b", "config.json", "0" * 40)


def test_a_failure_is_remembered_for_other_processes_until_it_is_old(
    answering: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        assert "is unreachable" in (hub.unreachable() or "")
    hub.unreachable.cache_clear()
    assert "unreachable less than 10 minutes ago" in (hub.unreachable() or "")
    hub.unreachable.cache_clear()
    os.utime(tmp_path / "hub-unreachable", (0, 0))
    assert "is unreachable" in (hub.unreachable() or "")
    hub.unreachable.cache_clear()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", answering)
    assert hub.unreachable() is None, "a mirror is not the hub that failed"


def test_the_hub_is_asked_once_a_process(answering: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", answering)
    before = Answering.asked
    assert hub.unreachable() is None
    assert hub.unreachable() is None
    assert Answering.asked == before + 1


# ---------------------------------------------------------------- downloads, from a hub of our own


COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Repository(BaseHTTPRequestHandler):
    """The hub's download protocol for one file, org/model/config.json; everything else is not in the repository."""

    content = b'{"model_type": "bert"}'

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()
        if self.path.endswith("/config.json"):
            self.wfile.write(self.content)

    def _answer(self) -> None:
        if self.path.endswith("/broken.json"):
            self.send_response(403)
        elif self.path.startswith("/org/private/"):
            self.send_response(401)
            self.send_header("X-Error-Code", "RepoNotFound")
        elif self.path.endswith("/config.json"):
            self.send_response(200)
            self.send_header("ETag", '"abc123"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(self.content)))
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with HTTPServer(("127.0.0.1", 0), Repository) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(hub, "ATTEMPT_S", 4.0)
        yield
        server.shutdown()


def test_a_file_is_downloaded_once_into_the_hubs_cache(repository: None) -> None:
    assert hub.cached_file("org/model", "config.json", COMMIT) is None
    path = hub.fetch_file("org/model", "config.json", COMMIT)
    assert path is not None
    assert path.read_bytes() == Repository.content
    assert hub.cached_file("org/model", "config.json", COMMIT) == path


def test_a_file_the_repository_lacks_is_none_and_a_refusal_is_said(repository: None) -> None:
    assert hub.fetch_file("org/model", "tokenizer.json", COMMIT) is None
    with pytest.raises(NotAvailable, match=r"org/model/broken\.json cannot be had from the hub: .*403"):
        hub.fetch_file("org/model", "broken.json", COMMIT)
    with pytest.raises(NotAvailable, match=r"org/private/config\.json cannot be had from the hub: .*401"):
        hub.fetch_file("org/private", "config.json", COMMIT)
