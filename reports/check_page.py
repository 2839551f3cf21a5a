"""The verdicts of a check against a baseline: as markdown, for a terminal, as JUnit XML and as JSON-able data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.text import Text

from bench.gate import Check, CheckedRow, SpeedJudgement, Verdict
from reports import figures
from reports.figures import MISSING
from reports.markdown import clean, escape
from reports.tables import Column, Row, Table, numbers, to_markdown, to_rich

_COLUMNS = (
    Column("row"),
    Column("verdict"),
    numbers("texts"),
    numbers("lost", from_width=100),
    numbers("won", from_width=100),
    numbers("accuracy", "points"),
    numbers("95 %", from_width=90),
    numbers("margin", "points"),
    numbers("F1", "points"),
    Column("what to know", from_width=110),
)
_NOTES = (
    "accuracy, F1: new minus old; 95 %: of the accuracy difference; lost, won: right in the baseline, now, only",
    "REGRESSED: the whole interval is below 0 and the drop reaches the margin; PASS: the interval is above minus the "
    "margin; else INCONCLUSIVE; margin: max(0.3 points, 2.8 sqrt(share of lost and won / texts))",
)
_NO_SPEED = "speed is not judged here: a stored rate was measured at another time (bench check --speed measures both)"
_SPEED_COLUMNS = (
    Column("row"),
    Column("scenario"),
    Column("verdict"),
    numbers("base", "texts/s", from_width=90),
    numbers("head", "texts/s", from_width=90),
    numbers("time a text"),
    numbers("95 %", from_width=100),
    numbers("bar"),
    numbers("noise", from_width=100),
    numbers("p"),
    numbers("turns", from_width=110),
)
_SPEED_NOTES = (
    "base and head measured here, by turns in processes of their own; time a text: the head's over the base's, minus 1",
    "REGRESSED: above the bar and Mann-Whitney p < 0.01; PASS: the 95 % interval is below the bar, which is at most "
    "15 %; else INCONCLUSIVE; bar: max(10 %, twice the noise); noise: root mean square of base against base",
)


@dataclass(frozen=True)
class CheckPage:
    """A check as its readers want it."""

    check: Check

    @property
    def markdown(self) -> str:
        """GitHub-flavoured markdown that ends in a newline, for the summary of a CI job."""
        parts = [f"## {self._heading()}", escape(self._summary())]
        return "\n\n".join([*parts, *map(to_markdown, self._tables())]) + "\n"

    def print(self, console: Console) -> None:
        """Print on a console, as wide as it is."""
        console.print(Text(self._heading(), style="bold"))
        console.print(Text(clean(self._summary())))
        for table in self._tables():
            for renderable in to_rich(table, console.width):
                console.print(renderable)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"verdict": str(self.check.verdict), **self.check.model_dump(mode="json")}

    @property
    def junit(self) -> str:
        """JUnit XML, a test case a row: regressed and failed rows are failures, unsettled and missing ones skipped."""
        suite = ElementTree.Element("testsuite", name="bench check", tests=str(len(self.check.rows)))
        suite.set("failures", str(sum(row.bad for row in self.check.rows)))
        unsettled = (Verdict.INCONCLUSIVE, Verdict.MISSING)
        suite.set("skipped", str(sum(row.verdict in unsettled for row in self.check.rows)))
        for row in self.check.rows:
            case = ElementTree.SubElement(suite, "testcase", classname=clean(row.cell.task), name=clean(row.name))
            if row.verdict is not Verdict.PASS:
                kind = "failure" if row.bad else "skipped"
                ElementTree.SubElement(case, kind, message=clean(f"{row.verdict}: {row.explanation}"))
        return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"

    def _heading(self) -> str:
        what = "Quality and speed" if any(row.speed for row in self.check.rows) else "Quality"
        return f"{what} against the baseline: {self.check.verdict}"

    def _summary(self) -> str:
        counts = Counter(row.verdict for row in self.check.rows)
        shown = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
        commits = f"baseline of {_short(self.check.baseline_commit)}, this run of {_short(self.check.run_commit)}"
        new = f"; {len(self.check.new_rows)} rows are not in the baseline" if self.check.new_rows else ""
        hardware = "" if self.check.same_hardware else "; on other hardware than the baseline's"
        return f"{shown}; {commits}{new}{hardware}"

    def _tables(self) -> list[Table]:
        tasks = dict.fromkeys(row.cell.task for row in self.check.rows)
        rows = {task: [row for row in self.check.rows if row.cell.task == task] for task in tasks}
        return [table for task in tasks for table in (_table(task, rows[task]), *_speed_tables(task, rows[task]))]


def _table(task: str, rows: Sequence[CheckedRow]) -> Table:
    worst_first = sorted(rows, key=lambda row: _ORDER.index(row.verdict))
    notes = _NOTES if any(row.speed for row in rows) else (*_NOTES, _NO_SPEED)
    return Table(task, _COLUMNS, tuple(map(_row, worst_first)), notes)


def _speed_tables(task: str, rows: Sequence[CheckedRow]) -> list[Table]:
    """None where no row's speed was judged."""
    lines = [(row.name, part) for row in rows for part in row.speed]
    lines.sort(key=lambda line: _ORDER.index(line[1].verdict))
    shown = tuple(_speed_row(name, part) for name, part in lines)
    return [Table(f"{task}: speed", _SPEED_COLUMNS, shown, _SPEED_NOTES)] if shown else []


def _speed_row(name: str, part: SpeedJudgement) -> Row:
    return (
        clean(name),
        part.scenario,
        part.verdict,
        figures.number(part.base_rps),
        figures.number(part.head_rps),
        f"{part.slowdown.value:+.1%}",
        f"{part.slowdown.low:+.1%} to {part.slowdown.high:+.1%}",
        f"{part.bar:.1%}",
        f"{part.noise:.1%}",
        figures.p_value(part.p),
        figures.count(part.turns),
    )


_ORDER = (Verdict.REGRESSED, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.MISSING, Verdict.PASS)


def _row(row: CheckedRow) -> Row:
    judgement, difference_f1 = row.judgement, figures.points(row.macro_f1_difference)
    if judgement is None:
        return (clean(row.name), row.verdict, *[MISSING] * 6, difference_f1, row.explanation or MISSING)
    interval = judgement.difference
    return (
        clean(row.name),
        row.verdict,
        figures.count(judgement.n),
        figures.count(judgement.lost),
        figures.count(judgement.won),
        figures.points(interval.value),
        f"{figures.points(interval.low)} to {figures.points(interval.high)}",
        figures.points(judgement.margin),
        difference_f1,
        row.explanation or MISSING,
    )


def _short(commit: str | None) -> str:
    return commit[:12] if commit else "no commit"
