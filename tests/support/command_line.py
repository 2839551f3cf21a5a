"""Runs the command `bench` and checks its refusals."""

from __future__ import annotations

import os
import subprocess
import sys


def bench(*arguments: str, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from bench.cli.main import main; main()", *arguments],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"COLUMNS": "80"} | env,
        check=False,
    )


def assert_one_line_error(done: subprocess.CompletedProcess[str], exit_code: int, *parts: str) -> None:
    assert done.returncode == exit_code, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("bench: error: ")
    for part in parts:
        assert part in lines[0]
