"""Workers of one machine: those killed start again, those that fail say why, and none outlives whoever started it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.execution import crew as crew_module
from bench.execution.crew import RESTARTS, LocalCrew, Slot, log_of, why_ended
from bench.execution.worker import Order
from bench.plan.request import RunRequest

PATIENCE_S = 60.0


def order(out: Path) -> Order:
    named = {"store": str(out / "store"), "out": out, "token": "t", "count": 2, "name": "", "cwd": str(out)}
    return Order(request=RunRequest(), driver={}, **named)


def crew_of(monkeypatch: pytest.MonkeyPatch, code: str) -> LocalCrew:
    """Two workers that run some code instead."""
    real = subprocess.Popen

    def popen(command: list[str], **how: object) -> subprocess.Popen[bytes]:
        return real([sys.executable, "-c", code], **how)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(crew_module.subprocess, "Popen", popen)
    return LocalCrew([Slot("job-1", None, {}), Slot("job-2", None, {})])


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def said_until_all_ended(crew: LocalCrew) -> list[str]:
    said: list[str] = []

    def all_ended() -> bool:
        said.extend(crew.ended())
        return not crew.alive()

    wait_for(all_ended)
    return said


def test_a_killed_worker_starts_again_some_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crew = crew_of(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    crew.start(order(tmp_path))
    said = said_until_all_ended(crew)
    assert len(said) == 2 * (1 + RESTARTS)
    assert "worker job-1: killed (SIGKILL)" in said[0] + said[1]


def test_a_worker_that_refuses_says_why_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crew = crew_of(monkeypatch, "import sys; sys.stderr.write('this node has other code\\n'); sys.exit(8)")
    crew.start(order(tmp_path))
    said = said_until_all_ended(crew)
    log = log_of(tmp_path / "job-1")
    assert sorted(said)[0] == f"worker job-1: this node has other code (exit code 8; log: {log})"
    assert len(said) == 2
    assert why_ended(0, log) is None


def test_no_worker_outlives_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crew = crew_of(monkeypatch, "import time; time.sleep(600)")
    crew.start(order(tmp_path))
    mine = [child for child in psutil.Process().children() if "time.sleep(600)" in " ".join(child.cmdline())]
    assert crew.alive() == 2
    crew.stop()
    assert crew.alive() == 0
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in mine)


def test_a_worker_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    waits = (
        "import threading, time; from bench.execution import worker; "
        "threading.Thread(target=worker._end_with_starter, daemon=True).start(); "
        "print('on', flush=True); time.sleep(600)"
    )
    starter = (
        "import subprocess, sys, time; "
        f"p = subprocess.Popen([sys.executable, '-c', {waits!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE); "
        "p.stdout.readline(); print(p.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = psutil.Process(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
