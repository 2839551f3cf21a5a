"""Stands in for the hub's HTTP API on a loopback port: repositories are folders built by the tests."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from bench.files import hub


def commit_of(repo: str) -> str:
    """The commit that the stand-in's main branch of a repository is at."""
    return sha1(repo.encode(), usedforsecurity=False).hexdigest()


class HubServer(ThreadingHTTPServer):
    """Serves every `org/name` folder below `root`; `asked` lists the paths of the requests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: HubServer

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.asked.append(path)
        parts = path.strip("/").split("/")
        if parts[0] == "datasets":
            parts = parts[1:]
        if parts[:2] in (["api", "models"], ["api", "datasets"]) and len(parts) >= 4:
            self._about("/".join(parts[2:4]), parts[4:], body)
        elif len(parts) > 4 and parts[2] == "resolve":
            self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]), body)
        else:
            self._send(200, b"", body)

    def _about(self, repo: str, rest: list[str], body: bool) -> None:
        folder = self.server.root / repo
        revision = rest[1] if len(rest) > 1 else "main"
        if not folder.is_dir() or revision not in ("main", "v1", commit_of(repo)):
            self._send(
                404, b"{}", body, {"X-Error-Code": "RepoNotFound" if not folder.is_dir() else "RevisionNotFound"}
            )
            return
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        content: object = {"id": repo, "sha": commit_of(repo), "siblings": [{"rfilename": name} for name in names]}
        if rest[:1] == ["tree"]:
            sizes = {name: (folder / name).stat().st_size for name in names}
            content = [{"type": "file", "path": name, "size": size, "oid": "0" * 40} for name, size in sizes.items()]
        self._send(200, json.dumps(content).encode(), body, {"Content-Type": "application/json"})

    def _file(self, repo: str, revision: str, name: str, body: bool) -> None:
        path = self.server.root / repo / name
        if revision not in ("main", "v1", commit_of(repo)) or not path.is_file():
            self._send(404, b"", body, {"X-Error-Code": "EntryNotFound"})
            return
        content = path.read_bytes()
        etag = sha1(content, usedforsecurity=False).hexdigest()
        self._send(200, content, body, {"ETag": f'"{etag}"', "X-Repo-Commit": commit_of(repo)})

    def _send(self, status: int, content: bytes, body: bool, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@contextmanager
def serve_hub(root: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """The stand-in as this process's hub, with an empty cache of the hub's library."""
    with HubServer(root) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", server.endpoint)
        template = server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        hub.unreachable.cache_clear()
        yield server
        server.shutdown()
        hub.unreachable.cache_clear()
