"""The store of many workers: objects whole or not at all, one holder of a lease, holders that are gone replaced."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from object_stores import assert_objects_are_whole_and_new_ones_made_once

from bench.errors import StoreError
from bench.files.leases import WORKERS, Worker
from bench.files.objects import FolderStore, open_store

PATIENCE_S = 60
HOLD = """
import sys, time
from bench.files.leases import Worker
from bench.files.objects import open_store
with Worker(open_store(sys.argv[1]), "holder") as worker:
    assert worker.try_lease("cell", "a cell")
    print("held", flush=True)
    time.sleep(600)
"""


def test_objects_are_whole_and_new_ones_are_made_once(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    assert_objects_are_whole_and_new_ones_made_once(store, tmp_path)
    with pytest.raises(StoreError, match="is a file"):
        open_store(str(tmp_path / "file"))


def test_one_worker_at_a_time_has_a_lease(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with Worker(store, "one") as one, Worker(store, "two") as two:
        lease = one.try_lease("cell", "a cell")
        assert lease
        assert two.try_lease("cell", "a cell") is None
        assert one.try_lease("cell", "a cell") is None
        assert two.try_lease("other", "another cell")
        one.release(lease)
        assert two.try_lease("cell", "a cell")
    assert store.names(WORKERS) == []


def test_the_lease_of_a_killed_worker_is_taken_over_by_one(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    store = FolderStore(tmp_path)
    with Worker(store, "one") as one, Worker(store, "two") as two:
        assert one.try_lease("cell", "a cell") is None
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda worker: worker.try_lease("cell", "a cell"), (one, two)))
        assert sum(lease is not None for lease in found) == 1
        assert one.try_lease("cell", "a cell") is None


def test_whoever_was_slow_between_looking_and_taking_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    with Worker(store, "slow") as slow, Worker(store, "quick") as quick:
        looked = store.names("leases")
        store.put("leases/cell~000000", json.dumps({"worker": "dead", "title": "", "since": ""}).encode())
        assert quick.try_lease("cell", "a cell")
        seen = [looked]  # what the slow one read before the quick one was there
        monkeypatch.setattr(store, "names", lambda folder: seen.pop() if seen else FolderStore(tmp_path).names(folder))
        assert slow.try_lease("cell", "a cell") is None
        assert FolderStore(tmp_path).names("leases") == ["cell~000001"]


def test_a_worker_of_another_machine_is_gone_when_its_heart_stands_still(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    card = {"label": "far", "host": "far", "pid": os.getpid(), "place": "another boot", "born": 0.0}
    store.put(f"{WORKERS}/far", json.dumps(card | {"beats": 1}).encode())
    store.put("leases/cell~000000", json.dumps({"worker": "far", "title": "a cell", "since": ""}).encode())
    with Worker(store, "near", lapse_s=0.2) as near:
        assert near.try_lease("cell", "a cell") is None
        store.put(f"{WORKERS}/far", json.dumps(card | {"beats": 2}).encode())
        assert near.try_lease("cell", "a cell") is None, "it has just been heard"
        _until(lambda: near.try_lease("cell", "a cell") is not None)
        assert store.names("leases") == ["cell~000001"]


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
