"""`bench status`: what a store alone tells of a run of many workers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from command_line import assert_one_line_error, bench

from bench.execution.progress import progress_of
from bench.files.leases import Worker
from bench.files.objects import FolderStore
from bench.plan.work import Item, Needs

NEEDS = Needs(device="cpu", memory_gb=None, whole_machine=True)


def store_of(folder: Path) -> FolderStore:
    """Three classifiers of two cells each: one done, one half done, one whose training failed."""
    store = FolderStore(folder / "store")
    items = []
    for seed in range(3):
        named = {"task": "mine", "recipe": "tfidf", "seed": seed, "needs": NEEDS}
        items.append(Item(kind="training", key=f"{seed}", engine=None, after=(), expected_s=10.0, **named))
        items += [
            Item(kind="cell", key=f"{seed}.{engine}", engine=engine, after=(f"{seed}",), expected_s=20.0, **named)
            for engine in ("sklearn", "onnx")
        ]
    store.put("plans/p.json", json.dumps({"items": [item.model_dump() for item in items]}).encode())
    rows = [(0, "sklearn", "OK", None), (0, "onnx", "CRASH", "died of SIGSEGV"), (1, "sklearn", "UNSTABLE", "spread")]
    for seed, engine, status, reason in [*rows, (2, None, "OOM", "training: killed")]:
        row = {"task": "mine", "recipe": "tfidf", "seed": seed, "engine": engine, "status": status, "reason": reason}
        name = f"mine.tfidf.s{seed}.{engine or 'none'}-0123456789ab.json"
        store.put(f"results/{name}", json.dumps({"settled": True, "files": {}}).encode())
        if status in ("CRASH", "OOM"):
            store.put(f"failed/{name}", json.dumps(row).encode())
    for seed in (0, 1):
        store.put(f"classifiers/mine.tfidf.s{seed}-0123456789ab.json", b"{}")
    return store


def test_every_cell_is_done_failed_or_left(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    found = progress_of(store)
    assert (found.cells, found.done, found.waiting) == (6, 2, 1)
    assert {(row.name, row.status) for row in found.failed} == {
        ("mine tfidf s0 onnx", "CRASH"),
        ("mine tfidf s2 training", "OOM"),
    }
    assert found.left_s == 20.0
    assert (found.workers, found.ends_in_s, found.running) == (0, None, ())
    with Worker(store, "shard 1/2") as worker:
        assert worker.try_lease("cell", "mine tfidf s1 onnx")
        [running] = progress_of(store).running
        assert (running.title, running.worker, running.lapsed) == ("mine tfidf s1 onnx", "shard 1/2", False)
        assert progress_of(store).ends_in_s == 20.0
        [card] = store.names("workers")
        content = json.loads(store.get(f"workers/{card}") or b"")
        content["at"] = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        store.put(f"workers/{card}", json.dumps(content).encode())
        [lapsed] = progress_of(store).running
        assert lapsed.lapsed
        assert progress_of(store).workers == 0


def test_the_command_says_it_for_people_and_for_machines(tmp_path: Path) -> None:
    store_of(tmp_path)
    said = bench("status", str(tmp_path)).stdout
    assert said.startswith("2 of 6 results done, 1 waiting, 2 failed; 0 workers; nobody works on it")
    assert "failed: mine tfidf s0 onnx: CRASH: died of SIGSEGV" in said
    assert json.loads(bench("status", str(tmp_path), "--json").stdout)["waiting"] == 1
    assert_one_line_error(bench("status", str(tmp_path / "empty")), 6, "no run began in")
