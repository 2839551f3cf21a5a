"""Shows the verdicts of a check against a baseline: as markdown, for a terminal, as JUnit XML, as JSON-able data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from rich.console import Console
from rich.text import Text

from bench.results.records import Interval
from bench.results.verdicts import Check, CheckedResult, Metric, SpeedJudgement, Verdict
from reports.pages.verdict_words import explain_checked
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.markdown import clean, escape
from reports.render.table import Column, Row, Table, numbers, say_table, to_markdown, to_rich
from reports.render.words import ENGLISH, joined, message, say

_COLUMNS = (
    Column("result"),
    Column("verdict"),
    numbers("texts"),
    numbers("lost", from_width=120),
    numbers("won", from_width=120),
    numbers("accuracy", "points"),
    numbers("accuracy 95 %", from_width=100),
    numbers("F1", "points"),
    numbers("F1 95 %", from_width=90),
    Column("what to know", from_width=110),
)
_FIGURES = message("accuracy, F1: new minus old; lost, won: right in the baseline, now, only")
_NO_SPEED = message(
    "speed is not judged here: a stored rate was measured at another time (bench check --speed measures both)"
)
_SPEED_COLUMNS = (
    Column("result"),
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
    message(
        "base and head measured here, by turns in processes of their own, on fresh texts of all lengths each turn; "
        "time a text: the head's over the base's, minus 1"
    ),
    message(
        "REGRESSED: above the bar and rank test p < 0.01; PASS: the 95 % interval is below the bar, which is at "
        "most 15 %; else, and where other processes held a side up for over 5 % of its turns, INCONCLUSIVE; "
        "bar: max(10 %, twice the noise); noise: root mean square of base against base"
    ),
)


@dataclass(frozen=True)
class CheckPage:
    """A check as its readers want it; what machines read is English in every language."""

    check: Check
    language: str = ENGLISH

    @property
    def markdown(self) -> str:
        """GitHub-flavoured markdown that ends in a newline, for the summary of a CI job."""
        parts = [f"## {escape(say(self._heading(), self.language))}", escape(say(self._summary(), self.language))]
        return "\n\n".join([*parts, *map(to_markdown, self._tables())]) + "\n"

    def print(self, console: Console) -> None:
        """Print on a console, as wide as it is."""
        console.print(Text(say(self._heading(), self.language), style="bold"))
        console.print(Text(clean(say(self._summary(), self.language))))
        for table in self._tables():
            for renderable in to_rich(table, console.width, self.language):
                console.print(renderable)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {"verdict": str(self.check.verdict), **self.check.model_dump(mode="json")}

    def line(self, checked: CheckedResult) -> str:
        """A result's verdict and why, in English."""
        return f"{checked.verdict}: {say(explain_checked(checked) or message('nothing to say'), ENGLISH)}"

    @property
    def junit(self) -> str:
        """JUnit XML, a test case a result: regressed and failed: failures, unsettled and missing: skipped."""
        suite = ElementTree.Element("testsuite", name="bench check", tests=str(len(self.check.rows)))
        suite.set("failures", str(sum(checked.bad for checked in self.check.rows)))
        unsettled = (Verdict.INCONCLUSIVE, Verdict.MISSING)
        suite.set("skipped", str(sum(checked.verdict in unsettled for checked in self.check.rows)))
        for checked in self.check.rows:
            case = ElementTree.SubElement(
                suite, "testcase", classname=clean(checked.cell.task), name=clean(checked.name)
            )
            if checked.verdict is not Verdict.PASS:
                kind = "failure" if checked.bad else "skipped"
                ElementTree.SubElement(case, kind, message=clean(self.line(checked)))
        return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"

    def _heading(self) -> str:
        verdict = message(str(self.check.verdict))
        if any(checked.speed for checked in self.check.rows):
            return message("Quality and speed against the baseline: {verdict}", verdict=verdict)
        return message("Quality against the baseline: {verdict}", verdict=verdict)

    def _summary(self) -> str:
        counts = Counter(checked.verdict for checked in self.check.rows)
        shown = [
            message("{count} {verdict}", count=counts[verdict], verdict=message(str(verdict)))
            for verdict in Verdict
            if counts[verdict]
        ]
        parts: list[str] = [
            joined(", ", shown),
            message(
                "baseline of {base}, this run of {run}",
                base=_short(self.check.baseline_commit),
                run=_short(self.check.run_commit),
            ),
        ]
        if self.check.new_rows:
            parts.append(message("{count} results are not in the baseline", count=len(self.check.new_rows)))
        if not self.check.same_hardware:
            parts.append(message("on other hardware than the baseline's"))
        return joined("; ", parts)

    def _tables(self) -> list[Table]:
        tasks = dict.fromkeys(checked.cell.task for checked in self.check.rows)
        of_task = {task: [checked for checked in self.check.rows if checked.cell.task == task] for task in tasks}
        margin = self.check.margin
        tables = (
            table
            for task in tasks
            for table in (_table(task, of_task[task], margin), *_speed_tables(task, of_task[task]))
        )
        return [say_table(table, self.language) for table in tables]


def _table(task: str, checked: Sequence[CheckedResult], margin: float) -> Table:
    worst_first = sorted(checked, key=lambda each: _ORDER.index(each.verdict))
    rule = message(
        "PASS: both 95 % intervals are above minus the margin of {margin:g} points; REGRESSED: one is below 0, at a "
        "level corrected for all results and both figures; else INCONCLUSIVE",
        margin=round(100 * margin, 6),
    )
    notes = (_FIGURES, rule) if any(each.speed for each in checked) else (_FIGURES, rule, _NO_SPEED)
    return Table(joined("", [task]), _COLUMNS, tuple(map(_row, worst_first)), notes)


def _speed_tables(task: str, checked: Sequence[CheckedResult]) -> list[Table]:
    """None where no result's speed was judged."""
    lines = [(each.name, part) for each in checked for part in each.speed]
    lines.sort(key=lambda line: _ORDER.index(line[1].verdict))
    shown = tuple(_speed_row(name, part) for name, part in lines)
    return [Table(message("{task}: speed", task=task), _SPEED_COLUMNS, shown, _SPEED_NOTES)] if shown else []


def _speed_row(name: str, part: SpeedJudgement) -> Row:
    return (
        clean(name),
        message(part.scenario),
        message(str(part.verdict)),
        figures.number(part.base_rps),
        figures.number(part.head_rps),
        f"{part.slowdown.value:+.1%}",
        message("{low} to {high}", low=f"{part.slowdown.low:+.1%}", high=f"{part.slowdown.high:+.1%}"),
        f"{part.bar:.1%}",
        f"{part.noise:.1%}",
        figures.p_value(part.p),
        figures.count(part.turns),
    )


_ORDER = (Verdict.REGRESSED, Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.MISSING, Verdict.PASS)


def _row(checked: CheckedResult) -> Row:
    verdict, told = message(str(checked.verdict)), explain_checked(checked) or MISSING
    if checked.judgement is None:
        return (clean(checked.name), verdict, *[MISSING] * 7, told)
    accuracy, macro_f1 = (checked.judgement.of(metric).difference for metric in Metric)
    return (
        clean(checked.name),
        verdict,
        figures.count(checked.judgement.n),
        _count(checked.judgement.lost),
        _count(checked.judgement.won),
        figures.points(accuracy.value),
        _range(accuracy),
        figures.points(macro_f1.value),
        _range(macro_f1),
        told,
    )


def _count(items: float) -> str:
    """A mean over seeds need not be whole."""
    return figures.count(round(items)) if float(items).is_integer() else f"{items:,.1f}"


def _range(interval: Interval) -> str:
    return message("{low} to {high}", low=figures.points(interval.low), high=figures.points(interval.high))


def _short(commit: str | None) -> str:
    return commit[:12] if commit else message("no commit")
