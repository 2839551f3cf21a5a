"""A job ends in an outcome whatever happens inside it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

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
)

from bench.processes import Outcome, Workers
from bench.results import Status


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
