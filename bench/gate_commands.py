"""What the commands baseline, check and compare do."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from bench import registry
from bench.baseline import make_baseline, read_baseline, write_baseline
from bench.cache import write_whole
from bench.check import check_run
from bench.gate import Check, Verdict
from bench.store import open_run

EXIT_CODES = {Verdict.PASS: 0, Verdict.REGRESSED: 9, Verdict.INCONCLUSIVE: 10}


def baseline_command(folder: Path, out: Path) -> None:
    """Write the baseline of a run folder."""
    baseline = make_baseline(open_run(folder))
    write_baseline(out, baseline)
    size_kb = out.stat().st_size / 1000
    Console(stderr=True, highlight=False).print(
        f"written: {out} ({len(baseline.rows)} rows, {size_kb:,.0f} kB); commit it and run `bench check`",
        soft_wrap=True,
    )


def check_command(folder: Path, baseline_file: Path, markdown: Path | None, junit: Path | None, as_json: bool) -> int:
    """Judge, print, write what was asked for; returns the exit code."""
    check = check_run(open_run(folder), read_baseline(baseline_file))
    page = registry.find("report", "check")(check)
    if markdown:
        write_whole(markdown, page.markdown.encode("utf-8"))
    if junit:
        write_whole(junit, page.junit.encode("utf-8"))
    _print(check, as_json)
    return EXIT_CODES[check.verdict]


def compare_command(old: Path, new: Path, as_json: bool) -> None:
    """The same verdicts between two run folders."""
    _print(check_run(open_run(new), make_baseline(open_run(old))), as_json)


def _print(check: Check, as_json: bool) -> None:
    page = registry.find("report", "check")(check)
    if as_json:
        sys.stdout.write(json.dumps(page.to_dict(), ensure_ascii=False, indent=1) + "\n")
    else:
        page.print(Console(highlight=False))
