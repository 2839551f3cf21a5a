"""The store of many workers behind an S3 server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_stores import assert_objects_are_whole_and_new_ones_made_once
from s3_server import s3_server

from bench.errors import StoreError
from bench.execution.sharing import Sharing
from bench.files.leases import WORKERS, Worker
from bench.files.objects import ObjectStore, open_store
from bench.files.remote_objects import RemoteStore
from bench.results.records import Cell
from bench.results.store import answers_path, result_path

CELL = Cell(
    id="cell", task="a", recipe="tfidf", method="tfidf", base_model=None, seed=0, engine="sklearn", precision="fp32"
)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    with s3_server(monkeypatch) as server:
        bucket = server.bucket
        yield open_store(f"{bucket}/run")


def test_objects_are_whole_and_new_ones_are_made_once(store: ObjectStore, tmp_path: Path) -> None:
    assert_objects_are_whole_and_new_ones_made_once(store, tmp_path)


def test_one_worker_at_a_time_has_a_lease(store: ObjectStore) -> None:
    with Worker(store, "one") as one, Worker(store, "two") as two:
        lease = one.try_lease("cell", "a cell")
        assert lease
        assert two.try_lease("cell", "a cell") is None
        one.release(lease)
        assert two.try_lease("cell", "a cell")
    assert store.names(WORKERS) == []


def test_a_published_cell_and_classifier_come_back_as_they_were(store: ObjectStore, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for path, content in ((result_path(first, "cell"), b"{}"), (answers_path(first, "cell"), b"answers")):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    classifier = tmp_path / "cache" / "a.tfidf.s0-0123"
    (classifier / "part").mkdir(parents=True)
    (classifier / "manifest.json").write_bytes(b"{}")
    (classifier / "part" / "weights").write_bytes(b"weights" * 1000)
    with Worker(store, "one") as worker:
        sharing = Sharing(store, worker)
        assert not sharing.fetch_cell(second, "cell")
        sharing.publish_cell(first, CELL, None)
        result_path(first, "cell").write_bytes(b"measured twice")
        sharing.publish_cell(first, CELL, None)
        assert result_path(first, "cell").read_bytes() == b"{}", "the first one stands"
        assert sharing.fetch_cell(second, "cell")
        assert answers_path(second, "cell").read_bytes() == b"answers"
        sharing.publish_classifier(classifier)
        other = tmp_path / "other" / classifier.name
        assert sharing.fetch_classifier(other)
        assert (other / "part" / "weights").read_bytes() == b"weights" * 1000


def test_a_damaged_object_is_not_read(store: ObjectStore, tmp_path: Path) -> None:
    path = result_path(tmp_path, "cell")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{}")
    with Worker(store, "one") as worker:
        sharing = Sharing(store, worker)
        sharing.publish_cell(tmp_path, CELL, None)
        [folder] = store.names("blobs")
        [blob] = store.names(f"blobs/{folder}")
        store.put(f"blobs/{folder}/{blob}", b"half")
        with pytest.raises(StoreError, match="damaged"):
            sharing.fetch_cell(tmp_path / "second", "cell")
    assert not result_path(tmp_path / "second", "cell").exists()


def test_a_server_that_is_away_for_a_while_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(monkeypatch) as server:
        store = open_store(f"{server.bucket}/run")
        store.put("x", b"kept")
        server.ask("stop")
        later = threading.Timer(1.0, server.ask, ["start"])
        later.start()
        assert store.get("x") == b"kept"
        later.join()


def test_a_store_that_nobody_can_reach_or_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server(monkeypatch), pytest.raises(StoreError, match=r"no-such-bucket"):
        open_store("s3://no-such-bucket/run")
    with pytest.raises(StoreError, match="no-such-protocol"):
        open_store("no-such-protocol://bucket/run")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="does not answer"):
        RemoteStore("s3://bucket/run", patience_s=0.0)
