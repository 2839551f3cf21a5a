"""How long a large run takes to report, how large its page is, and how soon the page can be used.

    python benchmarks/report_size.py [--cells 500] [--items 7600] [--out benchmarks/report_size.md]

The run is invented (benchmarks/invented_run.py). Time and memory are those of the whole command, its start included;
the page is opened in a headless Chromium (`apt-get install chromium`, or CHROMIUM with its path).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from invented_run import ENGINES, Size, write_run

from bench.machine.environment import cpu_card

TURNS = 3
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
INTERACTIVE = "document.documentElement.dataset.ready"
FILTER = """() => {
    const search = document.querySelector('input[type=search]');
    const started = performance.now();
    search.value = 'onnx-int8';
    search.dispatchEvent(new Event('input'));
    document.body.getBoundingClientRect();
    return performance.now() - started;
}"""
SORT = """() => {
    const button = [...document.querySelectorAll('th button')].find((each) => each.textContent.startsWith('accuracy'));
    const started = performance.now();
    button.click();
    document.body.getBoundingClientRect();
    return performance.now() - started;
}"""


@dataclass(frozen=True)
class Reported:
    """One call of the command."""

    wall_s: float
    peak_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--items", type=int, default=7600)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        write_run(run, Size(classifiers=given.cells // len(ENGINES), items=given.items))
        reports = [_report(run) for _ in range(TURNS)]
        page = run / "leaderboard.html"
        opened = [_open(page) for _ in range(TURNS)]
        table = _table(given.cells, given.items, reports, page.stat().st_size, opened)
    sys.stdout.write(table)
    if given.out:
        given.out.write_text(table, encoding="utf-8")


def _report(run: Path) -> Reported:
    """`bench report RUN --html` in a process of its own, printing into a pipe."""
    started = time.perf_counter()
    command = [shutil.which("bench") or "bench", "report", str(run), "--html"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench report ended with {process.returncode}")
    return Reported(time.perf_counter() - started, usage.ru_maxrss * 1024)


def _open(page: Path) -> tuple[float, float, float]:
    """Milliseconds from navigation until everything is drawn, to filter, and to sort, in a fresh browser."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        tab = browser.new_page(viewport={"width": 1300, "height": 900})
        tab.goto(page.as_uri())
        tab.wait_for_function(f"{INTERACTIVE} && document.querySelectorAll('svg.plot').length >= 3")
        drawn = tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => done(performance.now())))")
        times = (drawn, tab.evaluate(FILTER), tab.evaluate(SORT))
        browser.close()
    return times


def _table(
    cells: int, items: int, reports: list[Reported], page_bytes: int, opened: list[tuple[float, float, float]]
) -> str:
    interactive, filtered, ordered = zip(*opened, strict=True)
    rows = [
        (
            "`bench report RUN --html`: markdown, plots, page, terminal",
            _range([each.wall_s for each in reports], "s"),
            "10 s",
        ),
        ("peak memory", _range([each.peak_bytes / 1e6 for each in reports], "MB", 0), "1 GB"),
        ("size of the page", f"{page_bytes / 1e6:.2f} MB", "5 MB"),
        ("page drawn and usable", _range([each / 1000 for each in interactive], "s"), "2 s"),
        ("filtering all rows, with the plots", _range(list(filtered), "ms", 0), ""),
        ("sorting all rows, with the plots", _range(list(ordered), "ms", 0), ""),
    ]
    lines = [f"| {what} | {figure} | {limit} |" for what, figure, limit in rows]
    heading = f"# A report of {cells} cells with {items:,} predictions each"
    made = (
        f"{cpu_card()['model']}, {os.cpu_count()} cores. An invented run. Made by `python benchmarks/report_size.py`."
    )
    note = f"Median of {TURNS} turns (range)."
    return "\n".join([heading, "", made, note, "", "| what | measured | limit |", "|---|--:|--:|", *lines, ""])


def _range(values: list[float], unit: str, digits: int = 2) -> str:
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} {unit} ({low} to {high})"


if __name__ == "__main__":
    main()
