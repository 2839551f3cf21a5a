"""Does what the commands baseline, check, compare and attribute ask for."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from bench import registry
from bench.errors import UsageError
from bench.execution.console import RunConsole
from bench.files.cache import write_whole
from bench.gates.attribution import attribute
from bench.gates.baseline import make_baseline, open_baseline, write_baseline
from bench.gates.check import check_run
from bench.gates.speed_rows import SpeedOptions, gate_speed
from bench.results.store import open_run
from bench.results.verdicts import Verdict

POINTS = 100


@dataclass(frozen=True)
class QualityRule:
    """What a row may lose, and how far trainings of one recipe differ where nothing tells it; shares."""

    margin: float
    seed_spread: float

    @classmethod
    def of(cls, margin_points: float, spread_points: float) -> QualityRule:
        """From points, as a user states them; raises UsageError for what is no number."""
        for option, points in (("--margin", margin_points), ("--seed-spread", spread_points)):
            if not math.isfinite(points):
                raise UsageError(f"{option} {points} is no number of points")
        return cls(margin_points / POINTS, spread_points / POINTS)


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


def check_command(
    folder: Path,
    baseline_file: Path,
    rule: QualityRule,
    markdown: Path | None,
    junit: Path | None,
    speed: SpeedOptions | None,
    language: str,
    as_json: bool,
) -> int:
    """Judge, print, write what was asked for; returns the exit code."""
    run, baseline = open_run(folder), open_baseline(baseline_file)
    check = check_run(run, baseline, rule.margin, rule.seed_spread)
    if speed:
        base_folder = baseline_file if baseline_file.is_dir() else None
        with RunConsole(quiet=False) as console:
            check = gate_speed(check, run, baseline, base_folder, speed, console)
    page = registry.find("report", "check")(check, language)
    if markdown:
        write_whole(markdown, page.markdown.encode("utf-8"))
    if junit:
        write_whole(junit, page.junit.encode("utf-8"))
    _print_page(page, as_json)
    return EXIT_CODES[check.verdict]


def attribute_command(
    folder: Path, baseline_file: Path, rule: QualityRule, options: SpeedOptions, language: str, as_json: bool
) -> None:
    """Rerun every regressed row with one part of the base's at a time, and name the part that did it."""
    base_folder = baseline_file if baseline_file.is_dir() else None
    with RunConsole(quiet=False) as console:
        run, baseline = open_run(folder), open_baseline(baseline_file)
        rows = attribute(run, baseline, base_folder, options, console, rule.margin, rule.seed_spread)
    _print_page(registry.find("report", "attribution")(rows, language), as_json)


def compare_command(old: Path, new: Path, language: str, as_json: bool) -> None:
    """The same verdicts between two run folders."""
    check = check_run(open_run(new), make_baseline(open_run(old)))
    _print_page(registry.find("report", "check")(check, language), as_json)


def _print_page(page: Any, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(page.to_dict(), ensure_ascii=False, indent=1) + "\n")
    else:
        page.print(Console(highlight=False))
