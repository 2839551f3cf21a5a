"""Defines what a column of results is, and where a table shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.results.records import Interval, Result
from bench.types import FitRecord, Scenario
from reports.content.results import Group, TaskResults
from reports.content.standing import Standing
from reports.render.figures import MISSING
from reports.render.table import Column
from reports.render.words import joined


@dataclass(frozen=True)
class Told:
    """A result and all that is told of it: its task, its classifier, and what the tests say of them."""

    task: TaskResults
    group: Group
    result: Result
    standing: Standing = field(default_factory=lambda: Standing(None))
    pareto: frozenset[str] = frozenset()

    @property
    def fit(self) -> FitRecord | None:
        return self.result.fit or self.group.fit


def told_of(
    task: TaskResults, standing: Standing | None = None, pareto: frozenset[str] = frozenset()
) -> Iterator[Told]:
    """Every result of a task, in the plan's order."""
    for group, result in task.cells():
        yield Told(task, group, result, standing or Standing(None), pareto)


def _nothing(_: Told) -> str:
    return MISSING


def _as_text(value: Any) -> str:
    """Text as it is: `str` would make data of a message that is to be translated."""
    return value if isinstance(value, str) else str(value)


def _no_flag(_: Told) -> str:
    return ""


def _never(_: str) -> bool:
    return False


@dataclass(frozen=True)
class ResultColumn:
    """One thing told of a result, by every table, the page, CSV, parquet, pandas and MLflow.

    Parameters:
        key: Its name here and in the exports, with its unit.
        value: What was measured; None where nothing was, or nothing to be believed.
        heading: Its name and unit in tables; None for what only the exports have.
        show: The value as tables print it.
        instead: What tables print where there is no value.
        fields: The exports' names of the parts that `split` cuts a value into; the key alone where it is one.
        high: Whether more is better.
        explained: What the page says of it.
        flag: What a table prints after a value, such as a star that its notes explain.
        warns: Whether a printed cell, in English, is a warning.
        scenario: The scenario that it is of; exports leave out those that a run has not.
    """

    key: str
    value: Callable[[Told], Any]
    heading: Column | None = None
    show: Callable[[Any], str] = _as_text
    instead: Callable[[Told], str] = _nothing
    fields: tuple[str, ...] = ()
    split: Callable[[Any], tuple[Any, ...]] | None = None
    high: bool = False
    explained: str | Callable[[TaskResults], str] | None = None
    flag: Callable[[Told], str] = _no_flag
    warns: Callable[[str], bool] = _never
    scenario: Scenario | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Its names in the exports."""
        return self.fields or (self.key,)

    def export(self, told: Told) -> dict[str, Any]:
        """Its parts by their names in the exports, all None where there is no value."""
        value = self.value(told)
        if value is None:
            return dict.fromkeys(self.names)
        return dict(zip(self.names, self.split(value) if self.split else (value,), strict=True))

    def printed(self, told: Told, show: Callable[[Any], str] | None = None, instead: bool = True) -> str:
        """The value as a table prints it."""
        value = self.value(told)
        if value is None:
            return self.instead(told) if instead else MISSING
        shown, flag = (show or self.show)(value), self.flag(told)
        return joined("", (shown, flag)) if flag else shown

    def explanation(self, task: TaskResults) -> str | None:
        """What the page says of it on a task."""
        return self.explained(task) if callable(self.explained) else self.explained

    def number(self, told: Told) -> float | None:
        """What the page sorts by: the value or its first part, where that is a number."""
        first = self.export(told)[self.names[0]]
        return first if isinstance(first, (int, float)) and not isinstance(first, bool) else None


@dataclass(frozen=True)
class Place:
    """Where a table shows a column: the order of a table's places is that of its columns.

    Parameters:
        key: The column.
        heading: Another heading, where the table's title does not say what the column's leaves out.
        from_width: Narrower terminals do without it; `crowded` where an optional column stands beside it.
        optional: Shown only where some result of the table has something else than 0.
        known: Shown only where some result of the table has a value, be it 0.
        show: Another way to print it.
        instead: Whether what stands for a missing value is printed.
    """

    key: str
    heading: Column | None = None
    from_width: int = 0
    crowded: int = 0
    optional: bool = False
    known: bool = False
    show: Callable[[Any], str] | None = None
    instead: bool = True


Layout = tuple[Place, ...]
Layouts = Mapping[str, Layout]


def split_interval(figure: Interval) -> tuple[float, float | None, float | None]:
    """Value, low and high; no ends where there were too few texts for an interval."""
    if figure.items_needed is not None:
        return figure.value, None, None
    return figure.value, figure.low, figure.high


def interval_names(key: str) -> tuple[str, str, str]:
    """What the exports call a figure and the ends of its interval."""
    return key, f"{key}_low", f"{key}_high"
