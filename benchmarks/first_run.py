"""Where the time of a first run goes: every training and every cell by its parts, on this machine and on AVX2 alone.

    python benchmarks/first_run.py [--suite agnews,weibo] [--runs 1] [--isa native,avx2] [--out first_run.md]

Each run begins with an empty cache that holds the downloaded archives and nothing else (--archives, by default those of
the harness's own cache), so that unpacking, conversions, calibration and training are in it and downloads are not. The
seconds are read from `logs/jobs.jsonl` of the run folder. Processor seconds tell a busy machine from slow work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.execution.context import JOBS
from bench.files.cache import cache_dir
from bench.machine.environment import cpu_card

# BENCH_MAX_CPU_ISA sets the libraries' own switches; MKL's has no other way in, ONNX Runtime and OpenVINO have none.
AVX2 = {"BENCH_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
ISAS: dict[str, dict[str, str]] = {"native": {}, "avx2": AVX2}
JOB_COLUMNS = ("what", "wall s", "processor s", "its parts (wall s)")
SHOWN_S = 0.2  # smaller parts are left out of a row


@dataclass(frozen=True)
class Measured:
    """One whole command: seconds passed, and its jobs in their order."""

    wall_s: float
    jobs: list[dict[str, Any]]

    @property
    def cpu_s(self) -> float:
        return sum(phase["cpu_s"] for job in self.jobs for phase in job["phases"])


def main() -> None:
    """Measure, write the table, print where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", default="agnews,weibo")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--isa", default="native,avx2")
    parser.add_argument("--archives", type=Path, default=cache_dir() / "archives")
    parser.add_argument("--before", type=Path, help="An earlier page, whose tables are put under this one's.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    measured = {
        isa: [run_once(options.suite, isa, options.archives) for _ in range(options.runs)]
        for isa in options.isa.split(",")
    }
    page = [*lines(options.suite, measured), *(earlier(options.before) if options.before else ())]
    options.out.write_text("\n".join(page) + "\n", encoding="utf-8")
    print(options.out)


def run_once(suite: str, isa: str, archives: Path) -> Measured:
    """The command in a fresh cache and a fresh folder, with its own output shown."""
    with tempfile.TemporaryDirectory() as scratch:
        cache, out = Path(scratch) / "cache", Path(scratch) / "run"
        if archives.is_dir():
            shutil.copytree(archives, cache / "archives")
        environment = {**os.environ, **ISAS[isa], "BENCH_CACHE": str(cache)}
        environment.pop("BENCH_DATA", None)
        command = [
            sys.executable,
            "-c",
            "from bench.cli.main import main; main()",
            "run",
            "--suite",
            suite,
            "--out",
            str(out),
        ]
        started = time.monotonic()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        wall_s = time.monotonic() - started
        jobs = [json.loads(line) for line in (out / "logs" / JOBS).read_text(encoding="utf-8").splitlines()]
    return Measured(wall_s, jobs)


def lines(suite: str, measured: dict[str, list[Measured]]) -> Iterator[str]:
    """The page: the totals, then the jobs of each instruction set's median run."""
    cpu = cpu_card()
    yield f"# Where the time of `bench run --suite {suite}` goes"
    yield ""
    yield (
        f"{cpu['model']}, {cpu['cores']} cores, Python {platform.python_version()}; the cache held archives only. "
        "`avx2`: torch, oneDNN and MKL told to use AVX2 at most (ONNX Runtime has no such switch)."
    )
    for isa, runs in measured.items():
        median = sorted(runs, key=lambda run: run.wall_s)[(len(runs) - 1) // 2]
        wall = ", ".join(f"{run.wall_s:.0f}" for run in runs)
        yield ""
        yield f"## {isa}: {statistics.median(run.wall_s for run in runs):.0f} s ({wall})"
        yield ""
        yield f"Jobs took {median.cpu_s:.0f} processor seconds; outside of jobs (start, data, report): "
        yield f"{median.wall_s - sum(job['wall_s'] for job in median.jobs):.1f} s."
        yield ""
        yield from by_part(median.jobs)
        yield ""
        yield from by_job(median.jobs)


def earlier(page: Path) -> Iterator[str]:
    """An earlier page's tables, their titles marked."""
    for line in page.read_text(encoding="utf-8").partition("\n## ")[2].splitlines():
        title = line.startswith(("avx2: ", "native: ", "## "))
        yield f"## before, {line.removeprefix('## ')}" if title else line


def by_part(jobs: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One row a part over all jobs, the longest first."""
    spent: defaultdict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for job in jobs:
        for phase in job["phases"]:
            total = spent[job["job"], phase["what"]]
            for at, amount in enumerate((phase["wall_s"], phase["cpu_s"], 1)):
                total[at] += amount
        rest = spent[job["job"], "process start and end"]
        rest[0] += job["wall_s"] - sum(phase["wall_s"] for phase in job["phases"])
        rest[2] += 1
    yield "| job | part | times | wall s | processor s |"
    yield "|---|---|--:|--:|--:|"
    for (job, part), (wall_s, cpu_s, times) in sorted(spent.items(), key=lambda item: -item[1][0]):
        if wall_s >= SHOWN_S:
            yield f"| {job} | {part} | {times:.0f} | {wall_s:.1f} | {cpu_s:.1f} |"


def by_job(jobs: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One row a training, a cell or another job, in the order in which they ran."""
    yield "| " + " | ".join(JOB_COLUMNS) + " |"
    yield "|---|--:|--:|---|"
    for job in jobs:
        parts = ", ".join(
            f"{phase['what']} {phase['wall_s']:.1f}" for phase in job["phases"] if phase["wall_s"] >= SHOWN_S
        )
        cpu_s = sum(phase["cpu_s"] for phase in job["phases"])
        yield f"| {job['title']} | {job['wall_s']:.1f} | {cpu_s:.1f} | {parts} |"


if __name__ == "__main__":
    main()
