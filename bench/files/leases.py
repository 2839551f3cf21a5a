"""Lets one worker at a time do a piece of work: leases in an object store, taken over when their holder is gone.

A lease is an object `leases/<piece>~<generation>`, made by `put_new`, so that one of many has it. Its holder is alive
while its heartbeat `workers/<id>` changes. Whoever finds the holder gone makes the next generation. No clocks of two
machines are compared: a heartbeat has lapsed when this process saw it unchanged for LAPSE_S.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from bench.files.objects import ObjectStore

BEAT_S = 10.0
LAPSE_S = 60.0
ASK_AGAIN_S = 1.0
LEASES, WORKERS = "leases", "workers"


@dataclass(frozen=True)
class Lease:
    """The right to do one piece of work; `name` is its object."""

    name: str


class Worker:
    """This process among those that share a store: its heartbeat while it is entered, and its leases.

    `label` says to people which one it is, such as "shard 3/16".
    """

    def __init__(self, store: ObjectStore, label: str, beat_s: float = BEAT_S, lapse_s: float = LAPSE_S) -> None:
        self._store = store
        self._beat_s, self._lapse_s = beat_s, lapse_s
        self.id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._card = {
            "label": label,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "place": _place(),
            "born": psutil.Process().create_time(),
        }
        self._beats = 0
        self._doing: str | None = None
        self._ended = threading.Event()
        self._seen: dict[str, tuple[bytes, float]] = {}
        self._thread = threading.Thread(target=self._keep_beating, daemon=True)

    def __enter__(self) -> Worker:
        self._beat()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._store.delete(f"{WORKERS}/{self.id}")

    def _keep_beating(self) -> None:
        while not self._ended.wait(self._beat_s):
            with suppress(Exception):  # a store that is away for a while; whoever waits for it says so
                self._beat()

    def _beat(self) -> None:
        self._beats += 1
        said = {"beats": self._beats, "doing": self._doing, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        self._store.put(f"{WORKERS}/{self.id}", json.dumps(self._card | said).encode(), durable=False)

    def try_lease(self, piece: str, title: str) -> Lease | None:
        """The lease of a piece of work; None while another worker that is alive has it.

        Whoever gets it looks first whether the work is done: its last holder may have finished it just now.
        """
        names = self._of(piece)
        if names:
            held = self._store.get(f"{LEASES}/{names[-1]}")
            if held is not None and self.is_alive(json.loads(held)["worker"]):
                return None
        generation = int(names[-1].rpartition("~")[2]) + 1 if names else 0
        name = f"{LEASES}/{piece}~{generation:06d}"
        content = {"worker": self.id, "title": title, "since": datetime.now(UTC).isoformat(timespec="seconds")}
        if not self._store.put_new(name, json.dumps(content).encode(), durable=False):
            return None
        if max(self._of(piece), default="") > name.rpartition("/")[2]:  # others went on while this one was slow
            self._store.delete(name)
            return None
        self._doing = title
        for earlier in names:
            self._store.delete(f"{LEASES}/{earlier}")
        return Lease(name)

    def _of(self, piece: str) -> list[str]:
        """The leases of a piece of work, the latest generation last."""
        return [name for name in self._store.names(LEASES) if name.rpartition("~")[0] == piece]

    def release(self, lease: Lease) -> None:
        """Give a lease back; the work is done, or somebody else may do it."""
        self._doing = None
        self._store.delete(lease.name)

    @contextmanager
    def turn(self, piece: str, title: str) -> Iterator[None]:
        """Wait for the lease of a piece of work and hold it."""
        while (lease := self.try_lease(piece, title)) is None:
            time.sleep(min(ASK_AGAIN_S, self._beat_s))
        try:
            yield
        finally:
            self.release(lease)

    def is_alive(self, worker: str) -> bool:
        """Whether a worker's heartbeat goes on, as far as this process has seen."""
        if worker == self.id:
            return True
        beat = self._store.get(f"{WORKERS}/{worker}")
        if beat is None or _is_dead_here(json.loads(beat)):
            return False
        known, since = self._seen.get(worker, (b"", 0.0))
        if beat != known:
            self._seen[worker] = (beat, time.monotonic())
            return True
        return time.monotonic() - since < self._lapse_s


def _place() -> str | None:
    """Where a process id means the same process: this boot of the machine and this namespace of process ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def _is_dead_here(card: dict[str, Any]) -> bool:
    """Whether a worker of this very place has ended, which needs no waiting for its heartbeat."""
    if card["place"] is None or card["place"] != _place():
        return False
    try:
        process = psutil.Process(card["pid"])
        return process.create_time() != card["born"] or process.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True
