"""Jobs that end in every way a job can end; in a module of their own, so that a new process can import them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from bench.errors import DataError, NotAvailable
from bench.execution.memory_job import MemoryTask, measure_memory, peak_bytes, whole_peak_bytes
from bench.types import Progress


def succeed(value: Any, progress: Progress) -> Any:
    progress("working", 1, 2)
    return value


def take_turns(times: int, progress: Progress) -> None:
    for turn in range(times):
        progress("computing", turn, times)
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        progress("waiting", turn, times)
        time.sleep(0.02)


def leave(exit_code: int, progress: Progress) -> None:
    os._exit(exit_code)


def kill_itself(signal_number: int, progress: Progress) -> None:
    os.kill(os.getpid(), signal_number)
    time.sleep(60)


def refuse(reason: str, progress: Progress) -> None:
    raise NotAvailable(reason)


def find_bad_data(reason: str, progress: Progress) -> None:
    raise DataError(reason)


def run_out_of_memory(size: int, progress: Progress) -> None:
    raise MemoryError(f"{size} bytes")


def fail_to_allocate(size: int, progress: Progress) -> None:
    raise RuntimeError(f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {size} bytes")


def divide(by: int, progress: Progress) -> float:
    return 1 / by


def sleep(seconds: float, progress: Progress) -> None:
    time.sleep(seconds)


def print_both(text: str, progress: Progress) -> None:
    os.write(1, f"out {text}\n".encode())
    os.write(2, f"err {text}\n".encode())


def ignore_interrupt(_: None, progress: Progress) -> str:
    os.kill(os.getpid(), signal.SIGINT)
    return "still here"


def modules_after_measuring(task: MemoryTask, progress: Progress) -> tuple[list[str], int]:
    peak = measure_memory(task, progress)
    return list(sys.modules), peak


def peak_with_child(size: int, progress: Progress) -> tuple[int, int]:
    code = f"import sys; kept = bytearray({size}); print('ready', flush=True); sys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child.stdout.readline()
    try:
        return peak_bytes(), whole_peak_bytes()
    finally:
        child.communicate("")
