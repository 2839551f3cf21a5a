"""What every store keeps: objects whole, new ones made by one of many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.files.objects import ObjectStore


def assert_objects_are_whole_and_new_ones_made_once(store: ObjectStore, scratch: Path) -> None:
    """An empty store; files are made in `scratch`."""
    assert store.get("a/b") is None
    assert store.names("a") == []
    store.put("a/b", b"old")
    store.put("a/b", b"new")
    assert store.get("a/b") == b"new"
    assert not store.put_new("a/b", b"other")
    with ThreadPoolExecutor(8) as pool:
        firsts = list(pool.map(lambda at: store.put_new("a/c", b"%d" % at), range(32)))
    assert sum(firsts) == 1
    assert store.get("a/c") == b"%d" % firsts.index(True)
    assert store.names("a") == ["b", "c"]
    store.delete("a/b")
    store.delete("a/b")
    assert store.names("a") == ["c"]
    (scratch / "file").write_bytes(b"content")
    store.put_file("blobs/x", scratch / "file")
    assert store.get_file("blobs/x", scratch / "back" / "file")
    assert (scratch / "back" / "file").read_bytes() == b"content"
    assert not store.get_file("blobs/y", scratch / "none")
