"""Runs the harness over a data file of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.results.records import Result, Status

COMMAND = [sys.executable, "-c", "from bench.cli.main import main; main()", "run"]


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"COLUMNS": "100"} | env,
        check=False,
    )


def own_data(folder: Path) -> Path:
    rows = [f"the {word} number {n} was {word} today,{word}\n" for n in range(40) for word in ("good", "bad", "odd")]
    path = folder / "mine.csv"
    path.write_text("text,label\n" + "".join(rows))
    return path


def assert_measured(result: Result) -> None:
    """All was measured; a load run that a busy machine kept too short may be INVALID, in LoadGen's words for that."""
    too_short = result.status is Status.INVALID and "not satisfied" in str(result.reason)
    assert result.status is Status.OK or too_short, result.reason
