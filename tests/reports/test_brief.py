"""One screen a suite: who is ahead, the leaderboard, what went wrong; nothing is left out without a sign."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from synthetic_runs import full_run, sample_run

from reports.brief import MOST_PROBLEMS, MOST_ROWS, brief_section
from reports.leaderboard import render_leaderboard
from reports.render.table import Column, Table, numbers, to_rich


def printed(width: int, *, full: bool = False, language: str = "en") -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    render_leaderboard(full_run(), language).print(console, full)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_task_takes_one_screen() -> None:
    text = printed(80)
    assert len(text.splitlines()) <= 45
    assert len(printed(80, full=True).splitlines()) > 200
    for wanted in ("Ranking", "Leaderboard", "Went wrong", "full-finetune", "0.920", "OOM", "SKIPPED"):
        assert wanted in text


def test_a_sample_s_notes_and_all_its_rows_are_there() -> None:
    console = Console(file=io.StringIO(), width=100, highlight=False)
    render_leaderboard(sample_run()).print(console, full=False)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "not comparable with any published figure" in text
    assert text.count("full-finetune s") >= 6


def test_in_chinese() -> None:
    assert "出错或不可信的行" in printed(80, language="zh")


def test_long_lists_say_how_much_is_left_out() -> None:
    table = Table("t", (Column("name"),), tuple((f"row {n}",) for n in range(MOST_ROWS + 9)))
    problems = [f"problem {n}" for n in range(MOST_PROBLEMS + 3)]
    console = Console(file=io.StringIO(), width=80)
    for part in brief_section("title", "lead", ["note"], ["a > b"], table, problems, 80, "en"):
        console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"{MOST_ROWS} of {MOST_ROWS + 9} rows" in text
    assert "3 more: --full prints them" in text


@pytest.mark.parametrize("width", range(20, 150))
def test_no_figure_is_lost_at_any_width(width: int) -> None:
    """A column stands whole or is named; the last ones were cut off where figures hold a space, as `91.4 MB`."""
    columns = (
        Column("classifier"),
        numbers("macro F1"),
        numbers("at 99 %", from_width=50),
        numbers("RPS", "req/s"),
        numbers("memory", from_width=100),
        numbers("training", from_width=60),
        Column("mark"),
        Column("status", from_width=70),
    )
    cells = ("a-long-name-of-a-recipe of 3 words", "0.123 ±0.045", "61.2 %", "12,345", "678 MB", "1.06 s", "s,d", "OK")
    console = Console(file=io.StringIO(), width=width)
    for part in to_rich(Table("Leaderboard", columns, (cells,)), width):
        console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(cell_len, text.splitlines())) <= width
    shown, _, named = " ".join(text.split()).partition("columns left out on a terminal this narrow: ")
    for column, cell in zip(columns[1:], cells[1:], strict=True):
        assert (cell in shown) != (column.name in named), column.name
        assert cell in shown or column.from_width
