"""Shows the trends of several runs: a table, JSON-able data, and one HTML file with a picture a figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape as escape_html
from io import BytesIO
from typing import Any

from rich.console import Console

from reports.content.trends import History, Series
from reports.export.records import json_able
from reports.render import figures
from reports.render.figures import MISSING
from reports.render.markdown import clean, to_html
from reports.render.table import Column, Row, Table, numbers, say_table, to_markdown, to_rich
from reports.render.words import ENGLISH, message, say, say_marked

MOST_LINES = 12
SCORES = ("macro F1", "accuracy")
_COLUMNS = (
    Column("task"),
    Column("result"),
    Column("figure"),
    numbers("runs"),
    numbers("first"),
    numbers("last"),
    numbers("change"),
    Column("trend"),
    numbers("trend p", from_width=90),
    Column("changed at"),
    numbers("change p", from_width=90),
    Column("machine", from_width=130),
)
_NOTES = (
    message(
        "trend: Mann-Kendall test; changed at: the first run after Pettitt's change point; both against all orders of "
        "the runs, p by Holm over the whole table; 5 runs at least"
    ),
    message(
        "change: last minus first, points of macro F1 and accuracy, per cent of a rate; quality only on the same "
        "texts, rates only on the same machine; first and last: value and the larger half of its interval, for a rate "
        "its range"
    ),
)
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;display:block;overflow-x:auto}"
    "td,th{padding:.2rem .6rem;border-bottom:1px solid #8884}"
    "svg{max-width:100%;height:auto}"
)


@dataclass(frozen=True)
class TrendPage:
    """The history of some runs in one language."""

    history: History
    language: str = ENGLISH

    def print(self, console: Console) -> None:
        """Print on a console, as wide as it is."""
        for part in to_rich(say_table(trend_table(self.history), self.language), console.width, self.language):
            console.print(part)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: runs in order, and of every series its points, judgement and p-values."""
        runs = zip(self.history.names, self.history.commits, strict=True)
        return {
            "runs": [{"name": name, "commit": commit} for name, commit in runs],
            "series": [
                json_able({**asdict(each), "judgement": each.judgement, "changed_at": each.changed_at})
                for each in self.history.series
            ],
        }

    def page(self) -> str:
        """One HTML file without scripts; all names in it are escaped."""
        title = say(message("Trends over {runs} runs", runs=len(self.history.names)), self.language)
        body = to_html(to_markdown(say_table(trend_table(self.history), self.language), level=2))
        return (
            f'<!DOCTYPE html>\n<html lang="{self.language}"><meta charset="utf-8"><title>{escape_html(title)}</title>'
            f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            f"<style>{_STYLE}</style>\n<h1>{escape_html(title)}</h1>\n{body}\n{''.join(self._pictures())}</html>\n"
        )

    def _pictures(self) -> Iterator[str]:
        """One a task and figure, and for rates a machine."""
        groups: dict[tuple[str, str, str, str | None], list[Series]] = {}
        for each in self.history.series:
            groups.setdefault((each.task, each.fingerprint, each.metric, each.machine), []).append(each)
        for (task, _, metric, machine), series in groups.items():
            where = f" @{machine}" if machine else ""
            yield _picture(f"{task}: {say_marked(metric, self.language)}{where}", self.history.names, series)


def trend_table(history: History) -> Table:
    """A row a series: what slides first, then what rises, then the rest."""
    order = {"worse": 0, "better": 1, "steady": 2, "too few runs": 3}
    series = sorted(history.series, key=lambda each: order[each.judgement])
    rows = tuple(_row(history, each) for each in series)
    listed = message("runs: {names}", names=", ".join(map(clean, history.names)))
    return Table("Trends", _COLUMNS, rows, (*_NOTES, listed))


def _row(history: History, each: Series) -> Row:
    first, last = each.points[0], each.points[-1]
    quality = str(each.metric) in SCORES
    show = figures.score if quality else figures.number
    change = 100 * (last.value - first.value) if quality else 100 * (last.value / first.value - 1)
    shown = []
    for point in (first, last):
        if point.low is None or point.high is None:
            shown.append(show(point.value))
        else:
            half = max(point.high - point.value, point.value - point.low)
            shown.append(f"{show(point.value)} ±{show(half)}")
    return (
        each.task,
        each.row,
        each.metric,
        figures.count(len(each.points)),
        *shown,
        f"{change:+.2f}" if quality else f"{change:+.1f} %",
        message(each.judgement),
        MISSING if each.trend_p is None else figures.p_value(each.trend_p),
        MISSING if each.changed_at is None else history.names[each.changed_at],
        MISSING if each.change_p is None else figures.p_value(each.change_p),
        each.machine or MISSING,
    )


def _picture(title: str, names: Sequence[str], series: Sequence[Series]) -> str:
    """Lines of values with bars of their intervals, a dashed line at a change point, as SVG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.hashsalt": title,
        "svg.fonttype": "none",
        "font.size": 10,
        "text.parse_math": False,
    }
    with mpl.rc_context(settings):
        figure = Figure(figsize=(9, 4.5), layout="constrained")
        axes = figure.subplots()
        for each in series[:MOST_LINES]:
            places, values = [point.run for point in each.points], [point.value for point in each.points]
            low = [point.value - (point.value if point.low is None else point.low) for point in each.points]
            high = [(point.value if point.high is None else point.high) - point.value for point in each.points]
            drawn = axes.errorbar(places, values, yerr=[low, high], marker=".", capsize=2, label=clean(each.row))
            if each.changed_at is not None:
                axes.axvline(each.changed_at - 0.5, linestyle="--", color=drawn.lines[0].get_color(), alpha=0.6)
        axes.set_xticks(range(len(names)), [clean(name) for name in names], rotation=30, ha="right")
        axes.set_title(clean(title), loc="left", fontsize=11)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="best")
        content = BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
    drawing = content.getvalue().decode("utf-8")
    return drawing[drawing.index("<svg") :]
