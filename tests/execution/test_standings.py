"""The leaderboard while it grows."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from synthetic_runs import full_run

from bench.execution.standings import SHOWN, standings, standings_line, standings_table

RESULTS = full_run().results


def test_the_best_stands_first_and_rows_without_quality_nowhere() -> None:
    for rows in standings(RESULTS).values():
        scores = [row.quality.macro_f1.value for row in rows if row.quality]
        assert len(scores) == len(rows)
        assert scores == sorted(scores, reverse=True)


def test_a_log_names_each_classifier_once() -> None:
    task = RESULTS[0].cell.task
    line = standings_line(RESULTS, task)
    assert line is not None
    assert line.startswith(f"{task} so far, macro F1: ")
    names = [part.split()[0] for part in line.partition(": ")[2].split(", ")]
    assert len(names) == len(set(names)) > 1
    assert standings_line([], task) is None


def test_a_terminal_shows_the_best_rows_of_each_task() -> None:
    console = Console(file=StringIO(), width=200)
    console.print(standings_table(RESULTS))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    for rows in standings(RESULTS).values():
        for row in rows[:SHOWN]:
            assert row.cell.recipe in shown
