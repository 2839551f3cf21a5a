"""Plots of a task as SVG files: training curves, what a study varies against the score, throughput and latency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from bench.results import ServerPoint, ServerSearch
from reports.rows import TaskRows
from reports.series import curves_of, studies_of
from reports.server_table import search_of
from reports.study_table import varied_recipes
from reports.words import ENGLISH, message, say

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
    task: TaskRows
    language: str = ENGLISH

    def draw(self) -> bytes:
        """The SVG file; the same results give the same bytes."""
        import matplotlib as mpl
        from matplotlib.figure import Figure

        with mpl.rc_context({"svg.hashsalt": self.path, "svg.fonttype": "none", "font.size": 10}):
            figure = Figure(figsize=(8, 4.5), layout="constrained")
            axes = figure.subplots()
            _DRAW[self.kind](axes, self.task, self.language)
            axes.set_title(self.title, loc="left", fontsize=11, parse_math=False)
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            content = BytesIO()
            figure.savefig(content, format="svg", metadata={"Date": None})
        return content.getvalue()


def plots_of(task: TaskRows, language: str = ENGLISH) -> Iterator[Plot]:
    """The plots that a task's results have something for."""
    name = task.data.task.replace("/", "-")
    end = "svg" if language == ENGLISH else f"{language}.svg"
    if curves_of(task):
        title = say(message("{title}: training curves", title=task.data.title), language)
        yield Plot(title, f"{FOLDER}/{name}.curves.{end}", "curves", task, language)
    if any(len(groups) > 1 for groups in varied_recipes(task).values()):
        title = f"{task.data.title}: {say(task.study or 'variants', language)}"
        yield Plot(title, f"{FOLDER}/{name}.study.{end}", "study", task, language)
    if _server_curves(task):
        title = say(message("{title}: throughput and latency", title=task.data.title), language)
        yield Plot(title, f"{FOLDER}/{name}.server.{end}", "server", task, language)


def _curves(axes: Axes, task: TaskRows, language: str) -> None:
    """Validation F1 over the training texts read; a ring marks the checkpoint chosen."""
    for curve in curves_of(task)[:MOST_CURVES]:
        scores = [point.f1 for point in curve.points]
        [line] = axes.plot(curve.texts_read, scores, marker=".", label=curve.name)
        if curve.chosen is not None:
            at, value = curve.texts_read[curve.chosen], scores[curve.chosen]
            axes.plot(at, value, marker="o", fillstyle="none", markersize=10, color=line.get_color())
    axes.set_xlabel(say("training texts read", language))
    axes.set_ylabel(say("validation macro F1", language))
    _legend(axes)


def _study(axes: Axes, task: TaskRows, language: str) -> None:
    """Test F1 with its 95 % interval at every value; by the number of training texts where that is what varies."""
    studies = studies_of(task)
    by_size = any(study.by_size for study in studies)
    for study in studies:
        at, value, low, high = zip(
            *((p.at, p.value, p.value - p.low, p.high - p.value) for p in study.points), strict=True
        )
        axes.errorbar(at, value, yerr=(low, high), marker="o", capsize=3, label=study.recipe)
    if by_size:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda value, _position: f"{value:,.0f}")
    axes.set_xlabel(say("training texts" if by_size else task.study_axis or "variant", language))
    axes.set_ylabel(say("test macro F1, 95 % interval", language))
    _legend(axes)


def _server(axes: Axes, task: TaskRows, language: str) -> None:
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


def _server_curves(task: TaskRows) -> list[tuple[str, ServerSearch]]:
    """Every row that was measured under Poisson load and answered at some rate."""
    found = [(f"{group.name} on {row.cell.engine}", search_of(row)) for group, row in task.cells()]
    return [(label, pair[1]) for label, pair in found if pair and _known(pair[1])]


def _known(search: ServerSearch) -> list[ServerPoint]:
    return [point for point in search.points if point.rate_rps is not None and point.p90_ms is not None]


def _places(points: list[ServerPoint]) -> tuple[list[float], list[float]]:
    return [point.rate_rps or 0.0 for point in points], [point.p90_ms or 0.0 for point in points]


def _legend(axes: Axes) -> None:
    legend = axes.legend(frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)


_DRAW = {"curves": _curves, "study": _study, "server": _server}
