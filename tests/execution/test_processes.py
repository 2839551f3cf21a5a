"""A job ends in an outcome whatever happens inside it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import process_jobs
import pytest
from process_jobs import (
    divide,
    fail_to_allocate,
    find_bad_data,
    ignore_interrupt,
    kill_itself,
    leave,
    print_both,
    refuse,
    run_out_of_memory,
    sleep,
    succeed,
    take_turns,
)

from bench.execution.processes import Outcome, Workers
from bench.results.records import Status


@pytest.fixture(scope="module")
def workers() -> Workers:
    return Workers(threads=2)


def run(workers: Workers, tmp_path: Path, job: Any, argument: Any, limit_s: float = 120) -> Outcome:
    return workers.run(job, (argument,), limit_s, tmp_path / "job.log", lambda *_: None)


def test_result_and_progress_come_back(workers: Workers, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    outcome = workers.run(succeed, ({"a": 1},), 120, tmp_path / "job.log", lambda *event: seen.append(event))
    assert outcome.status is Status.OK
    assert outcome.payload == {"a": 1}
    assert seen == [("working", 1, 2)]
    assert [phase.what for phase in outcome.phases] == ["starting", "working"]


def test_parts_of_one_name_are_added_up(workers: Workers, tmp_path: Path) -> None:
    outcome = run(workers, tmp_path, take_turns, 3)
    assert [phase.what for phase in outcome.phases] == ["starting", "computing", "waiting"]
    _, computing, waiting = outcome.phases
    assert waiting.wall_s >= 3 * 0.02
    assert sum(phase.wall_s for phase in outcome.phases) <= outcome.wall_s
    assert computing.cpu_s > waiting.cpu_s


def test_a_job_that_fails_says_how_far_it_came(workers: Workers, tmp_path: Path) -> None:
    outcome = run(workers, tmp_path, refuse, "no such GPU")
    assert [phase.what for phase in outcome.phases] == ["starting"]


@pytest.mark.parametrize(
    ("job", "argument", "status", "reason"),
    [
        (leave, 3, Status.CRASH, "exit code 3"),
        (leave, 0, Status.CRASH, "no result"),
        (kill_itself, signal.SIGSEGV, Status.CRASH, "SIGSEGV"),
        (kill_itself, signal.SIGKILL, Status.OOM, "memory runs out"),
        (refuse, "no such GPU", Status.SKIPPED, "no such GPU"),
        (find_bad_data, "line 3 is empty", Status.CRASH, "line 3 is empty"),
        (run_out_of_memory, 10, Status.OOM, "10 bytes"),
        (fail_to_allocate, 10, Status.OOM, "10 bytes"),
        (divide, 0, Status.CRASH, "ZeroDivisionError: division by zero"),
    ],
)
def test_every_end_becomes_an_outcome(
    workers: Workers, tmp_path: Path, job: Any, argument: Any, status: Status, reason: str
) -> None:
    outcome = run(workers, tmp_path, job, argument)
    assert outcome.status is status
    assert outcome.reason is not None
    assert reason in outcome.reason
    assert "\n" not in outcome.reason


def test_a_job_over_its_limit_is_stopped(workers: Workers, tmp_path: Path) -> None:
    outcome = run(workers, tmp_path, sleep, 600, limit_s=1)
    assert outcome.status is Status.TIMEOUT
    assert outcome.reason == "stopped after its limit of 1 s"


def test_output_goes_to_the_log(workers: Workers, tmp_path: Path) -> None:
    assert run(workers, tmp_path, print_both, "hello").status is Status.OK
    assert (tmp_path / "job.log").read_text() == "out hello\nerr hello\n"


def test_the_traceback_of_a_defect_is_in_the_log(workers: Workers, tmp_path: Path) -> None:
    run(workers, tmp_path, divide, 0)
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_ctrl_c_is_the_parents_to_handle(workers: Workers, tmp_path: Path) -> None:
    assert run(workers, tmp_path, ignore_interrupt, None).payload == "still here"


INTERRUPTED_WHILE_IT_STARTS = """
import signal, sys
from multiprocessing import forkserver
from pathlib import Path
from process_jobs import sleep
from bench.execution.processes import Workers

connect = forkserver.connect_to_new_process

def connect_and_interrupt(descriptors):
    ends = connect(descriptors)
    signal.raise_signal(signal.SIGINT)
    return ends

forkserver.connect_to_new_process = connect_and_interrupt
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    Workers(threads=1).run(sleep, (600,), 600, Path(sys.argv[1]), lambda *_: None)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_while_a_job_starts_leaves_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_WHILE_IT_STARTS, str(tmp_path / "job.log")],
        cwd=Path(process_jobs.__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


class InterruptsWhenUnpacked:
    """Sends Ctrl-C to the process that reads it, before that process has reached the job."""

    def __reduce__(self) -> tuple[Any, tuple[int]]:
        return signal.raise_signal, (signal.SIGINT,)


def test_a_job_ignores_ctrl_c_from_its_first_moment(workers: Workers, tmp_path: Path) -> None:
    outcome = run(workers, tmp_path, succeed, InterruptsWhenUnpacked())
    assert (outcome.status, outcome.payload) == (Status.OK, None)
