"""Workers that take pieces from one another: each piece once, those of a dead worker by another, trainings first."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.errors import UsageError
from bench.execution import slots
from bench.execution.progress import progress_of
from bench.execution.pulling import done_pieces, pulled
from bench.execution.schedule import Step
from bench.execution.sharing import Sharing
from bench.execution.slots import core_shares, gpu_numbers, slots_of
from bench.execution.spread import Spread
from bench.files import leases
from bench.files.leases import Worker
from bench.files.objects import FolderStore
from bench.plan.request import RunRequest
from bench.plan.shards import Shard, Turns
from bench.plan.work import Item, Needs

TURNS = Turns("token", 3, "one")


def work() -> tuple[list[Step], list[Item]]:
    """Twelve classifiers of two cells each; the first is so long that it is cut."""
    needs = Needs(device="cpu", memory_gb=None, whole_machine=True)
    items, steps = [], []
    for seed in range(12):
        named = {"task": "t", "recipe": "r", "seed": seed, "needs": needs, "expected_s": 1000.0 if seed == 0 else 1.0}
        items.append(Item(kind="training", key=f"{seed}", engine=None, after=(), **named))
        items += [Item(kind="cell", key=f"{seed}.{at}", engine=f"e{at}", after=(f"{seed}",), **named) for at in (0, 1)]
        task: Any = SimpleNamespace(data=SimpleNamespace(name="t"))
        recipe: Any = SimpleNamespace(id="r")
        steps.append(Step(task, recipe, seed, None))
    return steps, items


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.execution.pulling.ASK_AGAIN_S", 0.01)


def test_every_piece_is_taken_once_by_one_of_many(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    steps, items = work()

    def pull(name: str) -> list[tuple[int, frozenset[str]]]:
        taken = []
        with Worker(store, name) as worker:
            for step in pulled(Sharing(store, worker), TURNS, steps, items):
                assert step.engines is not None
                taken.append((step.seed, step.engines))
                store.put(f"classifiers/t.r.s{step.seed}-0123.json", b"{}")
        return taken

    with ThreadPoolExecutor(3) as pool:
        taken = [piece for of_one in pool.map(pull, "abc") for piece in of_one]
    cells = [(seed, engine) for seed, engines in taken for engine in engines]
    assert sorted(cells) == [(seed, engine) for seed in range(12) for engine in ("e0", "e1")]
    assert len(taken) == 13, "the long one is cut"
    assert done_pieces(Sharing(store, Worker(store, "d")), TURNS, items) == (13, 13)
    assert store.names(leases.LEASES) == []


def test_a_dead_workers_piece_is_anothers(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    steps, items = work()
    with Worker(store, "lives") as lives, Worker(store, "dies") as dies:
        theirs = pulled(Sharing(store, dies), TURNS, steps, items)
        first = next(theirs)
        assert first.seed == 0, "the longest first"
        mine = pulled(Sharing(store, lives), TURNS, steps, items)
        assert next(mine).seed != 0
        [card] = [name for name in store.names(leases.WORKERS) if name == dies.id]
        content = json.loads(store.get(f"{leases.WORKERS}/{card}") or b"{}")
        store.put(f"{leases.WORKERS}/{card}", json.dumps(content | {"born": 0.0}).encode())
        seen = set()
        for step in mine:
            seen.add(step.seed)
            store.put(f"classifiers/t.r.s{step.seed}-0123.json", b"{}")
        assert 0 in seen
        theirs.close()


def test_a_turn_is_no_row_of_the_progress(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    steps, items = work()
    store.put("plans/p.json", json.dumps({"items": [item.model_dump() for item in items]}).encode())
    with Worker(store, "one") as worker:
        mine = pulled(Sharing(store, worker), TURNS, steps, items)
        next(mine)
        assert store.names(leases.LEASES)
        assert progress_of(store).running == ()
        mine.close()
    assert store.names(leases.LEASES) == []


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system holds no process to cores")
def test_each_worker_has_cores_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(10)))
    for cpu in range(10):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{cpu % 5},{cpu % 5 + 5}\n")
    monkeypatch.setattr(slots, "TOPOLOGY", tmp_path)
    assert core_shares(1) == [(0, 1, 2, 3, 4)]
    assert core_shares(2) == [(0, 1), (2, 3)], "alike; a core is left over, and the second threads of all"
    with pytest.raises(UsageError, match="6 workers on 5 cores"):
        core_shares(6)
    assert [slot.env["CUDA_VISIBLE_DEVICES"] for slot in slots_of("cuda:1,cuda:3", None)] == ["1", "3"]
    with pytest.raises(UsageError, match="a worker a GPU"):
        slots_of("cuda:0,cuda:1", 3)


@pytest.mark.parametrize("wrong", ["cuda", "cpu:0", "cuda:0,cuda:0", "cuda:x", "0,1"])
def test_devices_are_named_once_each(wrong: str) -> None:
    with pytest.raises(UsageError, match="name each GPU once"):
        gpu_numbers(wrong)


@pytest.mark.parametrize(
    ("spread", "request_", "said"),
    [
        (Spread(jobs=2), RunRequest(autotune=True), "--autotune and several workers"),
        (Spread(Shard(1, 2), executor="ray"), RunRequest(), "--shard is one worker"),
        (Spread(executor="ray", jobs=2), RunRequest(), "leave --jobs and --devices out"),
        (Spread(ray_address="auto"), RunRequest(), "belong to --executor ray"),
        (Spread(devices="cuda:0"), RunRequest(device="cpu"), "leave one of them out"),
    ],
)
def test_what_does_not_go_together_is_refused(spread: Spread, request_: RunRequest, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        spread.check(request_)
