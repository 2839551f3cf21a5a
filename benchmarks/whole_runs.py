"""How long `bench run --suite agnews,weibo` takes, on the built-in samples and on real data, and what it prints.

    BENCH_DATA=DIR python benchmarks/whole_runs.py [--out benchmarks/whole_runs.md]

Downloads and converted models are taken from the cache; trained classifiers, vectors, exports and results are not.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.files.cache import cache_dir
from bench.machine.environment import cpu_card

KEPT = ("archives", "models")
COMMAND = ["-c", "from bench.cli.main import main; main()", "run", "--suite", "agnews,weibo", "--quiet"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    data = os.environ.get("BENCH_DATA")
    if not data:
        sys.exit("BENCH_DATA must name a folder with agnews/ and weibo/")
    runs = {"the built-in samples": timed_run(None), "real data, tier quick": timed_run(data)}
    report = render(runs)
    arguments.out.write_text(report, encoding="utf-8")
    print(report)


def timed_run(data: str | None) -> tuple[float, str]:
    """Wall seconds of one run into an empty folder, and its leaderboard."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in KEPT:
            if (cache_dir() / name).is_dir():
                shutil.copytree(cache_dir() / name, Path(scratch) / "cache" / name, symlinks=True)
        environment = {name: value for name, value in os.environ.items() if name != "BENCH_DATA"}
        environment |= {"BENCH_CACHE": f"{scratch}/cache"} | ({"BENCH_DATA": data} if data else {})
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, *COMMAND, "--out", f"{scratch}/run"],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - started
        leaderboard = (Path(scratch) / "run" / "leaderboard.md").read_text(encoding="utf-8")
        return seconds, leaderboard.replace(data, "BENCH_DATA") if data else leaderboard


def render(runs: dict[str, tuple[float, str]]) -> str:
    """The times, and below them the leaderboards down to the cost table."""
    lines = [
        "# Whole runs",
        "",
        f"`bench run --suite agnews,weibo`, small models, {cpu_card()['model']}, {os.cpu_count()} cores; downloads and "
        "conversions were there, nothing was trained. Made by `BENCH_DATA=DIR python benchmarks/whole_runs.py`.",
        "",
        "| data | minutes |",
        "|---|--:|",
        *(f"| {name} | {seconds / 60:.1f} |" for name, (seconds, _) in runs.items()),
    ]
    for name, (_, leaderboard) in runs.items():
        lines += ["", f"# On {name}", "", *_head(leaderboard)]
    return "\n".join(lines) + "\n"


def _head(leaderboard: str) -> list[str]:
    """Provenance, ranking, quality and speed of every task."""
    shown, keep = [], True
    for line in leaderboard.splitlines():
        if line.startswith("## "):
            keep = True
        elif line.startswith("### Cost"):
            keep = False
        if keep:
            shown.append(line)
    return shown


if __name__ == "__main__":
    main()
