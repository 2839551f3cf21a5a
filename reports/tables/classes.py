"""Looks into the best result: its score in each class, and what it takes for what."""

from __future__ import annotations

from bench.results.records import Quality, Result
from reports.content.results import Group
from reports.render import figures
from reports.render.markdown import shorten
from reports.render.table import Column, Row, Table, numbers
from reports.render.words import message

MOST_CLASSES = 20
MOST_CONFUSIONS = 10
LONGEST_NAME = 40


def class_tables(group: Group, result: Result) -> list[Table]:
    """Per-class scores, weakest first, and the most frequent confusions of one row."""
    if result.quality is None:
        return []
    who = message("{name} on {engine}", name=group.name, engine=result.cell.engine)
    tables = (_per_class(who, result.quality), _confusions(who, result))
    return [table for table in tables if table.rows]


def _per_class(who: str, quality: Quality) -> Table:
    columns = (Column("class"), numbers("precision"), numbers("recall"), numbers("F1"), numbers("texts"))
    weakest = sorted(quality.per_class, key=lambda score: score.f1)[:MOST_CLASSES]
    rows = tuple(
        (
            _class_name(score.name),
            figures.score(score.precision),
            figures.score(score.recall),
            figures.score(score.f1),
            figures.count(score.support),
        )
        for score in weakest
    )
    hidden = len(quality.per_class) - len(weakest)
    notes = (
        (message("the {shown} weakest of {all} classes", shown=len(weakest), all=len(quality.per_class)),)
        if hidden
        else ()
    )
    return Table(message("Classes of the best result: {who}, weakest first", who=who), columns, rows, notes)


def _confusions(who: str, result: Result) -> Table:
    quality, names = result.quality, result.data.class_names
    columns = (Column("label"), Column("answered"), numbers("texts"), numbers("of label"))
    cells: list[tuple[int, int, int]] = []
    for label, counts in enumerate(quality.confusion if quality else ()):
        cells += [(count, label, answer) for answer, count in enumerate(counts) if answer != label and count]
    cells.sort(key=lambda cell: (-cell[0], cell[1], cell[2]))
    rows = tuple(_confusion(result, names, cell) for cell in cells[:MOST_CONFUSIONS])
    return Table(message("Most frequent confusions of {who}", who=who), columns, rows)


def _confusion(result: Result, names: tuple[str, ...], cell: tuple[int, int, int]) -> Row:
    count, label, answer = cell
    of_label = sum(result.quality.confusion[label]) if result.quality else 0
    answered = _class_name(names[answer]) if answer < len(names) else message("(no valid answer)")
    return _class_name(names[label]), answered, figures.count(count), figures.percent(count / of_label)


def _class_name(name: str) -> str:
    return shorten(name, LONGEST_NAME) or "(empty)"
