"""What tests of engines share: a server on loopback that answers well until it is told otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from faulty_server import Faulty, classified, faulty_server

from backends.endpoint import client as endpoint_client

PROXIES = ("all_proxy", "http_proxy", "https_proxy", "no_proxy")


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_client, "FIRST_BACKOFF_S", 0.01)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty_server(lambda _, body: classified(body)) as running:
        yield running
