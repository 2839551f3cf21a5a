"""Tables stay tables, whatever their cells say."""

from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from synthetic_runs import full_run

from bench.results.records import Interval
from reports.content.speed import precision_of, weight_notes
from reports.render import figures
from reports.render.markdown import clean, escape, shorten
from reports.render.table import Column, Table, numbers, to_markdown, to_rich

NASTY = [
    "a|b",
    "a\\|b",
    "ends in a backslash\\",
    "two\nlines",
    "tab\tand\r\nreturn\u2028and\x85more",
    "`code`",
    "<script>alert(1)</script>",
    "<!-- comment",
    "**bold** _italic_ [link](http://example.org) ~~gone~~",
    "&lt;already&gt;",
    "شبكة | عربية",
    "עברית\nשורה",
    "负面",
    "👩‍👩‍👧 🏴",
    "\u202eoverride\u202c",
    "\u200d",
    "loose \u200d\u200c joiners\u200d",
    "\x1b[31mred\x1b[0m",
    "\x00",
    "",
    "   ",
    "[bold]rich markup[/bold]",
    "| --- | --- |",
    "# heading #",
    "\ud800",
]
any_text = st.one_of(st.sampled_from(NASTY), st.text(st.characters(), max_size=30))


def cells_of(line: str) -> list[str]:
    """A table line cut at its pipes as GitHub does: no backslash and no entity makes two cells of one."""
    assert line.startswith("| ")
    assert line.endswith(" |")
    return [cell.strip(" ") for cell in line[2:-2].split(" | ")]


def unescaped(cell: str) -> str:
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", cell))


def table_lines(markdown: str) -> list[str]:
    return [line for line in markdown.split("\n") if line.startswith("|")]


@given(
    st.integers(1, 5).flatmap(lambda k: st.lists(st.lists(any_text, min_size=k, max_size=k), min_size=1, max_size=5))
)
def test_markdown_table_parses_back_to_its_cells(rows: list[list[str]]) -> None:
    columns = tuple(Column(f"c{i}", align="right" if i % 2 else "left") for i in range(len(rows[0])))
    markdown = to_markdown(Table("title", columns, tuple(map(tuple, rows))))
    lines = table_lines(markdown)
    assert len(lines) == len(rows) + 2
    for line, row in zip(lines[2:], rows, strict=True):
        assert line.count("|") == len(columns) + 1
        assert [unescaped(cell) for cell in cells_of(line)] == [clean(cell) for cell in row]
    assert len({cell_len(line) for line in lines}) == 1


@given(any_text)
def test_escaped_text_holds_no_markup(text: str) -> None:
    shown = escape(text)
    assert not set(shown) & set("<|\n\r\t\x1b")
    assert not shown.startswith(">")
    assert not re.search(r"&(?!amp;|lt;|gt;|#124;)", shown)
    assert not re.search(r"(?<!\\)(\\\\)*[`*\[\]~$]", shown)
    shown.encode("utf-8")


@given(any_text)
def test_clean_text_is_one_printable_line_and_stays_so(text: str) -> None:
    line = clean(text)
    assert clean(line) == line
    assert len(line.splitlines()) <= 1
    assert not any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in line)


def test_right_to_left_text_is_isolated_and_overrides_are_dropped() -> None:
    assert clean("عربي") == "\u2068عربي\u2069"
    assert clean("\u202eabc") == "abc"
    assert clean("负面 ok") == "负面 ok"


@given(st.lists(st.tuples(any_text, any_text), min_size=1, max_size=4), st.sampled_from([80, 120]))
def test_terminal_table_keeps_its_figures_within_the_width(names: list[tuple[str, str]], width: int) -> None:
    columns = (Column("name"), Column("reason"), numbers("rate", "req/s"))
    table = Table("title", columns, tuple((name, reason, "1,234.5") for name, reason in names), ("a note",))
    printed = plain(table, width)
    assert printed.count("1,234.5") >= len(names)
    assert max(map(cell_len, printed.split("\n"))) <= width


def plain(table: Table, width: int) -> str:
    console = Console(width=width, force_terminal=False, color_system=None)
    with console.capture() as capture:
        for part in to_rich(table, width):
            console.print(part)
    return capture.get()


def test_narrow_terminals_do_without_the_wide_columns() -> None:
    table = Table("t", (Column("name"), Column("base model", from_width=100)), (("lora", "MiniLM"),))
    assert "MiniLM" not in plain(table, 80)
    assert "MiniLM" in plain(table, 120)
    assert "MiniLM" in to_markdown(table)


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells under 2 columns"):
        Table("t", (Column("a"), Column("b")), (("only one",),))


def test_shorten_keeps_short_names_and_cuts_long_ones() -> None:
    assert shorten("Sci/Tech", 40) == "Sci/Tech"
    assert shorten("x" * 100, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.number(None), "-"),
        (figures.number(float("nan")), "-"),
        (figures.number(0.0), "0"),
        (figures.number(0.99951), "1.00"),
        (figures.number(9.996), "10.0"),
        (figures.number(99.96), "100"),
        (figures.number(1234.5), "1,234"),
        (figures.number(0.00002), "2.0e-05"),
        (figures.duration(0.25), "0.250 s"),
        (figures.duration(0.0), "0 s"),
        (figures.duration(0.0002), "<0.001 s"),
        (figures.duration(119.0), "119 s"),
        (figures.duration(120.0), "2.00 min"),
        (figures.duration(9000.0), "2.50 h"),
        (figures.size(91_000_000), "91.0 MB"),
        (figures.size(1_250_000_000), "1.25 GB"),
        (figures.size(2_000), "2.00 kB"),
        (figures.floor_percent(19_999 / 20_000), "99.99 %"),
        (figures.floor_percent(1.0), "100.00 %"),
        (figures.floor_percent(0.999), "99.90 %"),
        (figures.percent(0.0405), "4.0 %"),
        (figures.ratio(2.5), "2.50x"),
        (figures.p_value(0.0001), "<0.001"),
        (figures.p_value(0.0501), "0.051"),
        (figures.p_value(1.0), "1.000"),
        (figures.p_value(0.0316), "0.032"),
        (figures.plus_minus(Interval(value=0.95, low=0.863, high=0.983)), "0.950 ±0.087"),
        (figures.bounds(Interval(value=0.95, low=0.863, high=0.983)), "0.863 to 0.983"),
    ],
)
def test_figures_are_printed_as_measured(shown: str, expected: str) -> None:
    assert shown == expected


def test_int8_weights_of_7_bits_are_named_on_their_row() -> None:
    """Other CPUs get other answers: a row that has them says so, and a note says why."""
    row = next(row for row in full_run().results if row.cell.precision == "int8" and row.session)
    assert row.session is not None
    assert precision_of(row) == "int8"
    assert weight_notes([row]) == ()
    narrow = row.model_copy(update={"session": row.session.model_copy(update={"details": {"weight_bits": 7}})})
    assert precision_of(narrow) == "int8, 7 bits"
    assert "overflow" in weight_notes([narrow])[0]
