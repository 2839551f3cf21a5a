"""Shows a table of printed cells as markdown and on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from reports.render.markdown import clean, escape
from reports.render.words import ENGLISH, message, say, say_marked

Row = tuple[str, ...]

LONGEST_UNBROKEN = 16
MOST_PRINTED_ROWS = 60


@dataclass(frozen=True)
class Column:
    """A heading with its unit; terminals narrower than `from_width` columns do without it, markdown never does."""

    name: str
    unit: str | None = None
    align: Literal["left", "right"] = "left"
    from_width: int = 0


@dataclass(frozen=True)
class Table:
    """Rows of text under columns; notes say what a reader must know before trusting a figure."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table '{self.title}': a row of {len(row)} cells under {len(self.columns)} columns")


def numbers(name: str, unit: str | None = None, from_width: int = 0) -> Column:
    """A column of figures: right-aligned."""
    return Column(name, unit, "right", from_width)


def with_column(table: Table, column: Column, cells: Iterable[str]) -> Table:
    """The table with one more column at its end, a cell a row."""
    rows = tuple((*row, cell) for row, cell in zip(table.rows, cells, strict=True))
    return replace(table, columns=(*table.columns, column), rows=rows)


def say_table(table: Table, language: str) -> Table:
    """The table in another language: headings, title and notes are ours, of the cells those marked so."""
    columns = tuple(
        replace(column, name=say(column.name, language), unit=column.unit and say(column.unit, language))
        for column in table.columns
    )
    rows = tuple(tuple(say_marked(cell, language) for cell in row) for row in table.rows)
    notes = tuple(say(note, language) for note in table.notes)
    return Table(say(table.title, language), columns, rows, notes)


def to_markdown(table: Table, level: int = 3) -> str:
    """A heading, a table padded to line up in an editor, and the notes as a list."""
    headings = tuple(_heading(column, " ({})") for column in table.columns)
    lines = [tuple(map(escape, row)) for row in (headings, *table.rows)]
    widths = [max(3, *map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    rule = [
        "-" * (width - 1) + (":" if column.align == "right" else "-")
        for column, width in zip(table.columns, widths, strict=True)
    ]
    padded = [_padded(line, table.columns, widths) for line in lines]
    body = [f"| {' | '.join(cells)} |" for cells in (padded[0], rule, *padded[1:])]
    parts = [f"{'#' * level} {escape(table.title)}", "\n".join(body)]
    if table.notes:
        parts.append("\n".join(f"- {escape(note)}" for note in table.notes))
    return "\n\n".join(parts)


def _heading(column: Column, unit_format: str) -> str:
    return column.name + (unit_format.format(column.unit) if column.unit else "")


def _padded(cells: Row, columns: tuple[Column, ...], widths: list[int]) -> Iterator[str]:
    for cell, column, width in zip(cells, columns, widths, strict=True):
        space = " " * (width - cell_len(cell))
        yield space + cell if column.align == "right" else cell + space


def to_rich(
    table: Table, width: int, language: str = ENGLISH, most_rows: int = MOST_PRINTED_ROWS
) -> Iterator[RenderableType]:
    """The same for a terminal of `width` columns: figures are never cut, words wrap; the first rows of a long table.

    Where the columns do not fit side by side, those of wider terminals are left out and named; where the others do not
    fit either, every row stands below the one before, a figure a line.

    The table is in `language` already; what is said of its length will be.
    """
    rows = table.rows[:most_rows]
    shown, widths = _fitted(table, rows, width)
    yield Text(clean(table.title), style="bold")
    if widths:
        yield _side_by_side(table, rows, shown, widths)
    else:
        yield from _stacked(table, rows, shown)
    if len(rows) < len(table.rows):
        length = message(
            "{shown} of {all:,} rows; the markdown file has them all", shown=len(rows), all=len(table.rows)
        )
        yield Text(f"- {say(length, language)}", style="dim")
    hidden = [column.name for position, column in enumerate(table.columns) if position not in shown]
    if hidden:
        left_out = message("columns left out on a terminal this narrow: {names}", names=", ".join(hidden))
        yield Text(f"- {say(left_out, language)}", style="dim")
    for note in table.notes:
        yield Text(f"- {clean(note)}", style="dim")


def _fitted(table: Table, rows: Sequence[Row], width: int) -> tuple[list[int], list[int]]:
    """The columns that a terminal of this width shows, and how wide each is; no widths where they do not fit."""
    wanted = [position for position, column in enumerate(table.columns) if column.from_width <= width]
    least = {position: _least_width(table.columns[position], [row[position] for row in rows]) for position in wanted}
    shown = list(wanted)
    dispensable = sorted(wanted, key=lambda position: (table.columns[position].from_width, position))
    while _total(least[position] for position in shown) > width:
        if not table.columns[dispensable[-1]].from_width:
            return wanted, []
        shown.remove(dispensable.pop())
    spare = width - _total(least[position] for position in shown)
    widths = dict(least)
    wishes = {position: _natural_width(table.columns[position], [row[position] for row in rows]) for position in shown}
    hungry = sorted(shown, key=lambda position: wishes[position] - least[position])
    for at, position in enumerate(hungry):
        more = min(max(0, wishes[position] - least[position]), spare // (len(hungry) - at))
        widths[position] += more
        spare -= more
    return shown, [widths[position] for position in shown]


def _total(widths: Iterable[int]) -> int:
    """Of columns with a space between them."""
    listed = list(widths)
    return sum(listed) + len(listed) - 1


def _least_width(column: Column, cells: Iterable[str]) -> int:
    """Terminal columns that a column cannot do without: its figures whole, of its words the longest."""
    if column.align == "right":
        return max((_longest_word([_heading(column, " {}")]), *(cell_len(clean(cell)) for cell in cells)))
    return max(1, min(LONGEST_UNBROKEN, _longest_word((column.name, *cells))))


def _natural_width(column: Column, cells: Iterable[str]) -> int:
    """What it takes when nothing wraps; the headings of figures always wrap."""
    if column.align == "right":
        return _least_width(column, cells)
    return max(cell_len(clean(text)) for text in (column.name, *cells))


def _side_by_side(table: Table, rows: Iterable[Row], shown: Sequence[int], widths: Sequence[int]) -> RichTable:
    grid = RichTable(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for position, wide in zip(shown, widths, strict=True):
        column = table.columns[position]
        if column.align == "right":
            heading = _heading(column, " {}").replace(" ", "\n")
            grid.add_column(Text(heading), justify="right", no_wrap=True, width=wide, vertical="top")
        else:
            grid.add_column(Text(column.name), overflow="fold", width=wide, vertical="top")
    for row in rows:
        grid.add_row(*(Text(clean(row[position])) for position in shown))
    return grid


def _stacked(table: Table, rows: Iterable[Row], shown: Sequence[int]) -> Iterator[RenderableType]:
    """Each row as lines of heading and cell; empty cells are left out."""
    for row in rows:
        yield Text()
        for position in shown:
            if row[position]:
                yield Text(f"{_heading(table.columns[position], ' ({})')}: {clean(row[position])}")


def _longest_word(cells: Iterable[str]) -> int:
    """Terminal columns that the longest word of a column takes."""
    return max((cell_len(word) for cell in cells for word in clean(cell).split()), default=0)
