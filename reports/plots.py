"""Draws a task's plots as SVG files: training curves, scores over a study or test texts, throughput and latency."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from bench.files.cache import file_name
from bench.results.speed_records import ServerPoint, ServerSearch
from reports.content.results import TaskResults
from reports.content.series import ScoreLine, curves_of, published_curves_of, score_charts
from reports.content.speed import search_of
from reports.render.words import ENGLISH, message, say, say_marked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_CURVES = 12
FOLDER = "plots"


@dataclass(frozen=True)
class Plot:
    """A picture of a task; `path` is where it lies beside the leaderboard."""

    title: str
    path: str
    kind: str
    task: TaskResults
    language: str = ENGLISH

    def draw(self) -> bytes:
        """The SVG file; the same results give the same bytes."""
        return svg_of(self.path, self.title, lambda axes: _DRAW[self.kind](axes, self.task, self.language))


def svg_of(path: str, title: str, draw: Callable[[Axes], None]) -> bytes:
    """One picture as an SVG file whose ids come from its path, so that the same content gives the same bytes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": path, "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.set_title(title, loc="left", fontsize=11, parse_math=False)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        content = BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def plots_of(task: TaskResults, language: str = ENGLISH) -> Iterator[Plot]:
    """The plots that a task's results have something for."""
    name = file_name(task.data.task)
    end = "svg" if language == ENGLISH else f"{language}.svg"
    if curves_of(task):
        title = say(message("{title}: training curves", title=task.data.title), language)
        yield Plot(title, f"{FOLDER}/{name}.curves.{end}", "curves", task, language)
    for chart in score_charts(task):
        title = f"{task.data.title}: {say(chart.title, language)}"
        yield Plot(title, f"{FOLDER}/{name}.{chart.kind}.{end}", chart.kind, task, language)
    if _server_curves(task):
        title = say(message("{title}: throughput and latency", title=task.data.title), language)
        yield Plot(title, f"{FOLDER}/{name}.server.{end}", "server", task, language)


def _curves(axes: Axes, task: TaskResults, language: str) -> None:
    """Validation F1 over the training texts read; a ring marks the checkpoint chosen; dashed: published, on test."""
    for curve in curves_of(task)[:MOST_CURVES]:
        scores = [point.f1 for point in curve.points]
        [line] = axes.plot(curve.texts_read, scores, marker=".", label=curve.name)
        if curve.chosen is not None:
            at, value = curve.texts_read[curve.chosen], scores[curve.chosen]
            axes.plot(at, value, marker="o", fillstyle="none", markersize=10, color=line.get_color())
    for published in published_curves_of(task):
        label = say(message("{name}, test split", name=published.name), language)
        read = [point.texts_read for point in published.points]
        axes.plot(read, [point.f1 for point in published.points], marker=".", linestyle="--", alpha=0.7, label=label)
    axes.set_xlabel(say("training texts read", language))
    axes.set_ylabel(say("validation macro F1", language))
    _legend(axes)


def _scores(kind: str, axes: Axes, task: TaskResults, language: str) -> None:
    """The score with its 95 % interval at every value; dashed: published, without one."""
    chart = next(chart for chart in score_charts(task) if chart.kind == kind)
    for line in chart.lines:
        at, value = [point.at for point in line.points], [point.value for point in line.points]
        look: dict[str, Any] = {"marker": "o", "label": say_marked(line.name, language)}
        if line.published:
            axes.plot(at, value, linestyle="--", fillstyle="none", alpha=0.7, **look)
        else:
            axes.errorbar(at, value, yerr=_bars(line), capsize=3, **look)
    if chart.by_size:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda value, _position: f"{value:,.0f}")
    axes.set_xlabel(say(chart.axis, language))
    axes.set_ylabel(say(message("{metric}, 95 % interval", metric=chart.metric), language))
    _legend(axes)


def _bars(line: ScoreLine) -> tuple[list[float], list[float]]:
    """How far the intervals reach below and above the values; a point without one has no bar."""
    points = line.points
    below = [0.0 if point.low is None else point.value - point.low for point in points]
    return below, [0.0 if point.high is None else point.high - point.value for point in points]


def _server(axes: Axes, task: TaskResults, language: str) -> None:
    """p90 over the answers per second; rings: the confirmations; dotted: the limits, mostly of p99."""
    curves = _server_curves(task)[:MOST_CURVES]
    for label, search in curves:
        points = sorted(_known(search), key=lambda point: point.rate_rps or 0.0)
        [line] = axes.plot(*_places(points), marker=".", label=label)
        confirmed = [point for point in points if point.purpose == "confirm" and point.target_rps == search.target_rps]
        ring: dict[str, Any] = {"linestyle": "", "marker": "o", "fillstyle": "none", "markersize": 10}
        axes.plot(*_places(confirmed), color=line.get_color(), **ring)
    for limit_ms in {search.limit_ms for _, search in curves}:
        axes.axhline(limit_ms, linestyle=":", color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _position: f"{value:,.12g}")
    axes.set_xlabel(say("answers per second", language))
    axes.set_ylabel(say("p90 from the scheduled arrival, ms (dotted: limit)", language))
    _legend(axes)


def _server_curves(task: TaskResults) -> list[tuple[str, ServerSearch]]:
    """Every row that was measured under Poisson load and answered at some rate."""
    found = [(f"{group.name} on {result.cell.engine}", search_of(result)) for group, result in task.cells()]
    return [(label, pair[1]) for label, pair in found if pair and _known(pair[1])]


def _known(search: ServerSearch) -> list[ServerPoint]:
    return [point for point in search.points if point.rate_rps is not None and point.p90_ms is not None]


def _places(points: list[ServerPoint]) -> tuple[list[float], list[float]]:
    return [point.rate_rps or 0.0 for point in points], [point.p90_ms or 0.0 for point in points]


def _legend(axes: Axes) -> None:
    legend = axes.legend(frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)


_DRAW: dict[str, Callable[[Axes, TaskResults, str], None]] = {
    "curves": _curves,
    "study": partial(_scores, "study"),
    "first-texts": partial(_scores, "first-texts"),
    "server": _server,
}
