"""Runs each job in a process of its own: a time limit, a log, and an outcome whatever happens inside."""

from __future__ import annotations

import errno
import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import multiprocessing.process
import multiprocessing.resource_tracker
import os
import signal
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import AssetError, BenchError, EndpointFailed, NotAvailable, is_out_of_memory
from bench.machine.companions import hide_unfit_companions
from bench.results.records import Status
from bench.types import Progress

CHECK_EVERY_S = 0.2


PRELOADED = ["bench.execution.preload"]  # what the fork server imports, so that every cell has it


@dataclass(frozen=True)
class Phase:
    """One part of a job, named as its progress was: seconds passed, and seconds of all its processor time."""

    what: str
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Outcome:
    """How a job ended; `payload` is what it returned when `status` is OK, else `reason` says why not.

    `phases` are those of a job that came to its end: what `wall_s` has more is its start and its end.
    `over_budget`: it was left out, or cut short, for want of time alone.
    """

    status: Status
    payload: Any = None
    reason: str | None = None
    wall_s: float = 0.0
    phases: tuple[Phase, ...] = ()
    over_budget: bool = False


class Workers:
    """Starts jobs from a fork server that has the heavy libraries imported already, or afresh."""

    def __init__(self, threads: int) -> None:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
            os.environ[name] = str(threads)
        os.environ["TOKENIZERS_PARALLELISM"] = "true"
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)
        multiprocessing.resource_tracker.ensure_running()
        with _interrupts_held(), _main_module_hidden():
            multiprocessing.forkserver.ensure_running()

    def run(
        self,
        job: Callable[..., Any],
        arguments: tuple[Any, ...],
        limit_s: float,
        log: Path,
        progress: Progress,
        fresh: bool = False,
    ) -> Outcome:
        """Run job(*arguments, progress) and wait for it; never raises for what happens inside.

        A `fresh` process has imported nothing but what the job needs, and starts more slowly.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("spawn") if fresh else self._context
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_enter, args=(sender, str(log), job, arguments), daemon=False)
        started = time.monotonic()
        try:
            with _interrupts_held(), _main_module_hidden():
                process.start()
            sender.close()
            message = _follow(receiver, started + limit_s, progress)
        finally:
            _end(process)
            receiver.close()
        wall_s = time.monotonic() - started
        if message is None:
            return Outcome(Status.TIMEOUT, reason=f"stopped after its limit of {limit_s:.0f} s", wall_s=wall_s)
        if message == "gone":
            status, reason = _how_it_died(process.exitcode)
            return Outcome(status, reason=f"{reason}; log: {log}", wall_s=wall_s)
        status, payload, reason, phases = message
        return Outcome(status, payload, reason, wall_s, phases)


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """Start processes that do not import the caller's script again: no job is defined in it.

    A script that calls `bench.run` would run again in every cell, and its libraries would count as the engine's memory.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C counts at the block's end: a process that is told only half of what it needs prints a traceback.

    A process started by exec within the block begins with the signal blocked; `bench.execution.preload` unblocks
    it. The handler is there for a signal that another thread receives; outside the main thread, where Ctrl-C never
    arrives, there can be none.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, handler)
        if held:
            signal.raise_signal(signal.SIGINT)


def _end(process: multiprocessing.process.BaseProcess) -> None:
    if process.pid is None:
        return
    if process.is_alive():
        process.join(timeout=1)
    if process.is_alive():
        process.kill()
    process.join()


def _follow(receiver: multiprocessing.connection.Connection, deadline: float, progress: Progress) -> Any:
    """The job's last message; None when the deadline passed, "gone" when the process died without one."""
    while time.monotonic() < deadline:
        if not receiver.poll(CHECK_EVERY_S):
            continue
        try:
            kind, *content = receiver.recv()
        except EOFError:
            return "gone"
        if kind == "end":
            return content
        progress(*content)
    return None


def _how_it_died(exit_code: int | None) -> tuple[Status, str]:
    if exit_code == -signal.SIGKILL:
        return Status.OOM, "killed by the system (SIGKILL), as it does when memory runs out"
    if exit_code is not None and exit_code < 0:
        return Status.CRASH, f"died of {signal.Signals(-exit_code).name}"
    return Status.CRASH, f"ended with exit code {exit_code} and no result"


class _PhaseClock:
    """Hands progress on to the parent and keeps how long each part took."""

    def __init__(self, sender: multiprocessing.connection.Connection) -> None:
        self._sender = sender
        self._what = "starting"
        self._began = self._now()
        self._spent: dict[str, tuple[float, float]] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self._what:
            self._close()
            self._what = what
        self._sender.send(("progress", what, done, total))

    def phases(self) -> tuple[Phase, ...]:
        """Every part so far, in the order in which each came first; parts of one name are added up."""
        self._close()
        return tuple(Phase(what, wall_s, cpu_s) for what, (wall_s, cpu_s) in self._spent.items())

    def _close(self) -> None:
        now = self._now()
        before = self._spent.get(self._what, (0.0, 0.0))
        self._spent[self._what] = (before[0] + now[0] - self._began[0], before[1] + now[1] - self._began[1])
        self._began = now

    @staticmethod
    def _now() -> tuple[float, float]:
        times = os.times()
        return time.perf_counter(), times.user + times.system + times.children_user + times.children_system


def _enter(
    sender: multiprocessing.connection.Connection, log: str, job: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    _die_with_parent()
    _redirect_output(log)
    hide_unfit_companions()
    progress = _PhaseClock(sender)
    try:
        payload = job(*arguments, progress)
        sender.send(("end", Status.OK, payload, None, progress.phases()))
    except Exception as error:
        traceback.print_exc()
        sender.send(("end", _classify(error), None, _one_line(error), progress.phases()))
    sender.close()
    sys.stdout.flush()
    sys.stderr.flush()


def _die_with_parent() -> None:
    """A killed `bench run` must not leave a cell behind that disturbs the next one's measurement."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def _redirect_output(log: str) -> None:
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _classify(error: Exception) -> Status:
    if isinstance(error, NotAvailable):
        return Status.SKIPPED
    if isinstance(error, (EndpointFailed, AssetError)):
        return Status.INVALID
    return Status.OOM if is_out_of_memory(error) else Status.CRASH


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"no disk space left while writing {error.filename or 'a file'}; free some and run again"
    text = " ".join(str(error).split())
    return text[:400] if isinstance(error, BenchError) else f"{type(error).__name__}: {text[:400]}"
