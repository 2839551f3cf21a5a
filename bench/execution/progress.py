"""Tells how far a run of many workers is, from its store alone: done, running where, waiting, failed and why."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from bench.errors import StoreError
from bench.execution.sharing import CLASSIFIERS, FAILED, PLANS, RESULTS
from bench.files.leases import LAPSE_S, LEASES, WORKERS
from bench.files.objects import ObjectStore
from bench.plan.work import Item
from bench.results.names import classifier_name, result_name
from bench.types import Record

READERS = 16


class Running(Record):
    """A training or cell that a worker holds; heard_s: seconds since its heartbeat, by the two machines' clocks."""

    title: str
    worker: str
    host: str
    since: str
    heard_s: float
    lapsed: bool


class Failed(Record):
    """A cell without a good result."""

    name: str
    status: str
    reason: str | None


class Progress(Record):
    """How far a run is; its cells are done, failed or left.

    left_s: expected seconds of all that is left, one after the other; ends_in_s: by the workers that are there now.
    None where the time of something left cannot be told, or nobody works.
    """

    cells: int
    done: int
    failed: tuple[Failed, ...]
    running: tuple[Running, ...]
    waiting: int
    workers: int
    left_s: float | None
    ends_in_s: float | None

    @property
    def settled(self) -> int:
        """The cells that have a result, good or not."""
        return self.cells - self.waiting


def progress_of(store: ObjectStore) -> Progress:
    """Read a store; raises StoreError where no run began in it."""
    items = _items(store)
    done = {name.rpartition("-")[0] for folder in (RESULTS, CLASSIFIERS) for name in store.names(folder)}
    failed = {result_name(**_row(row)): row for row in _all(store, FAILED)}
    lost = {name.removesuffix(".none") for name in failed if name.endswith(".none")}  # without a training no cells
    named = [(item, _training_name(item), _item_name(item)) for item in items]
    cells = sum(item.kind == "cell" for item in items)
    left = [item for item, training, name in named if name not in done and training not in lost]
    waiting = sum(item.kind == "cell" for item in left)
    bad = sum(item.kind == "cell" and (name in failed or training in lost) for item, training, name in named)
    workers = _workers(store)
    alive = sum(_heard_s(card) < LAPSE_S for card in workers.values())
    known = [item.expected_s for item in left if item.expected_s is not None]
    left_s = sum(known) if len(known) == len(left) else None
    return Progress(
        cells=cells,
        done=cells - waiting - bad,
        failed=tuple(_failure(row) for row in failed.values()),
        running=tuple(_running(store, workers)),
        waiting=waiting,
        workers=alive,
        left_s=left_s,
        ends_in_s=None if left_s is None or not alive else max(left_s / alive, max(known, default=0.0)),
    )


def _items(store: ObjectStore) -> list[Item]:
    """Those of every request that was run into the store, each once."""
    plans = _all(store, PLANS)
    if not plans:
        raise StoreError(f"no run began in {store.root}; `bench run --shard 1/4` begins one")
    with _collector_paused():
        items = TypeAdapter(list[Item]).validate_python([item for plan in plans for item in plan["items"]])
    return list({item.key: item for item in items}.values())


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Of 100,000 records that stay, the garbage collector would go through all again and again: most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _all(store: ObjectStore, folder: str) -> list[dict[str, Any]]:
    names = [f"{folder}/{name}" for name in store.names(folder)]
    with ThreadPoolExecutor(READERS) as pool:
        return [json.loads(content) for content in pool.map(store.get, names) if content]


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("task", "recipe", "seed", "engine")}


def _failure(row: Mapping[str, Any]) -> Failed:
    name = f"{row['task']} {row['recipe']} s{row['seed']} {row['engine'] or 'training'}"
    return Failed(name=name, status=row["status"], reason=row["reason"])


def _training_name(item: Item) -> str:
    return classifier_name(item.task, item.recipe, item.seed)


def _item_name(item: Item) -> str:
    if item.kind == "training":
        return _training_name(item)
    return result_name(item.task, item.recipe, item.seed, item.engine)


def _workers(store: ObjectStore) -> dict[str, dict[str, Any]]:
    contents = {name: store.get(f"{WORKERS}/{name}") for name in store.names(WORKERS)}
    return {name: json.loads(content) for name, content in contents.items() if content}


def _running(store: ObjectStore, workers: Mapping[str, dict[str, Any]]) -> list[Running]:
    found = []
    for name in store.names(LEASES):
        content = store.get(f"{LEASES}/{name}")
        if content is None:
            continue
        lease = json.loads(content)
        if not lease["title"]:
            continue  # a turn, whose training and cells have leases of their own
        card = workers.get(lease["worker"])
        heard_s = _heard_s(card) if card else LAPSE_S
        found.append(
            Running(
                title=lease["title"],
                worker=card["label"] if card else "a worker that ended",
                host=card["host"] if card else "?",
                since=lease["since"],
                heard_s=heard_s,
                lapsed=heard_s >= LAPSE_S,
            )
        )
    return found


def _heard_s(card: Mapping[str, Any]) -> float:
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(card["at"])).total_seconds())
