"""Starts worker processes on this machine, each with its own cores and GPU, and starts those again that were killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from bench.execution.worker import Order

RESTARTS = 3  # of a worker that a signal ended, as memory running out does
STOP_S = 10.0


class Crew(Protocol):
    """The workers of a launch, wherever they run; `note` says what to know of them."""

    note: str | None

    @property
    def size(self) -> int:
        """How many workers there are at most."""

    def start(self, order: Order) -> None:
        """Start them all; each gets the order with a name and a run folder of its own."""

    def ended(self) -> list[str]:
        """A sentence for every worker that ended otherwise than well since this was asked last."""

    def alive(self) -> int:
        """How many work, or will."""

    def stop(self) -> None:
        """End them all; what they finished is in the store."""


@dataclass(frozen=True)
class Slot:
    """The place of one worker on this machine: its cores, None for all, and what its environment has of its own."""

    name: str
    cpus: tuple[int, ...] | None
    env: Mapping[str, str]


class LocalCrew:
    """Processes of this machine, one a slot."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots = slots
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._restarts = dict.fromkeys((slot.name for slot in slots), RESTARTS)
        self._order: Order | None = None
        self.note: str | None = None

    @property
    def size(self) -> int:
        """See Crew."""
        return len(self._slots)

    def start(self, order: Order) -> None:
        """See Crew."""
        self._order = order
        for slot in self._slots:
            self._start(slot, order)

    def _start(self, slot: Slot, order: Order) -> None:
        own = {"name": slot.name, "out": order.out / slot.name, "cpus": slot.cpus, "beside": len(self._slots) > 1}
        self._running[slot.name] = start_worker(order.model_copy(update=own), slot.env)

    def ended(self) -> list[str]:
        """See Crew; a worker that a signal ended is started again, some times."""
        said = []
        for slot in self._slots:
            process = self._running.get(slot.name)
            code = process.poll() if process else None
            if process is None or code is None or self._order is None:
                continue
            del self._running[slot.name]
            if reason := why_ended(code, log_of(self._order.out / slot.name)):
                said.append(f"worker {slot.name}: {reason}")
            if code < 0 and self._restarts[slot.name] > 0:
                self._restarts[slot.name] -= 1
                self._start(slot, self._order)
        return said

    def alive(self) -> int:
        """See Crew."""
        return len(self._running)

    def stop(self) -> None:
        """See Crew."""
        for process in self._running.values():
            process.send_signal(signal.SIGINT)
        for process in self._running.values():
            wait_or_kill(process)
        self._running.clear()


def start_worker(order: Order, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A worker process; what it says goes into a log beside its run folder. It ends when this process does."""
    with _log(order.out) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.execution.worker"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env={**os.environ, **env},
            cwd=order.cwd if Path(order.cwd).is_dir() else None,
            start_new_session=True,  # Ctrl-C reaches whoever started it, who ends it in order
        )
    pipe = process.stdin
    if pipe is not None:
        pipe.write(order.model_dump_json().encode() + b"\n")
        pipe.flush()
    return process


def wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    """Give a worker that was told to end the time for it."""
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def log_of(out: Path) -> Path:
    """Where a worker's lines are."""
    return out.with_name(f"{out.name}.log")


def _log(out: Path) -> IO[bytes]:
    log_of(out).parent.mkdir(parents=True, exist_ok=True)
    return log_of(out).open("ab")


def why_ended(code: int, log: Path) -> str | None:
    """Why a worker ended early, its last line for the most part; None where it did not."""
    if code == 0:
        return None
    if code < 0:
        return f"killed ({signal.Signals(-code).name}); log: {log}"
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
    return f"{last.strip()} (exit code {code}; log: {log})"
