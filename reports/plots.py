"""Plots of a task as SVG files: training curves, and what a study varies against the score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from reports.rows import Group, TaskRows
from reports.study_table import varied_recipes

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

    def draw(self) -> bytes:
        """The SVG file; the same results give the same bytes."""
        import matplotlib as mpl
        from matplotlib.figure import Figure

        with mpl.rc_context({"svg.hashsalt": self.path, "svg.fonttype": "none", "font.size": 10}):
            figure = Figure(figsize=(8, 4.5), layout="constrained")
            axes = figure.subplots()
            _DRAW[self.kind](axes, self.task)
            axes.set_title(self.title, loc="left", fontsize=11, parse_math=False)
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            content = BytesIO()
            figure.savefig(content, format="svg", metadata={"Date": None})
        return content.getvalue()


def plots_of(task: TaskRows) -> Iterator[Plot]:
    """The plots that a task's results have something for."""
    name = task.data.task.replace("/", "-")
    if any(_has_curve(group) for group in task.groups):
        yield Plot(f"{task.data.title}: training curves", f"{FOLDER}/{name}.curves.svg", "curves", task)
    if any(len(groups) > 1 for groups in varied_recipes(task).values()):
        title = f"{task.data.title}: {task.study or 'variants'}"
        yield Plot(title, f"{FOLDER}/{name}.study.svg", "study", task)


def _has_curve(group: Group) -> bool:
    return bool(group.fit and len(group.fit.curve) > 1)


def _curves(axes: Axes, task: TaskRows) -> None:
    """Validation F1 over the training texts read; a ring marks the checkpoint chosen."""
    for group in [group for group in task.groups if _has_curve(group)][:MOST_CURVES]:
        fit = group.fit
        assert fit is not None  # noqa: S101 - it has a curve
        read = [point.epoch * (fit.examples or 1) for point in fit.curve]
        [line] = axes.plot(read, [point.f1 for point in fit.curve], marker=".", label=group.name)
        chosen = [(at, point.f1) for at, point in zip(read, fit.curve, strict=True) if point.step == fit.chosen_step]
        axes.plot(*zip(*chosen, strict=True), marker="o", fillstyle="none", markersize=10, color=line.get_color())
    axes.set_xlabel("training texts read")
    axes.set_ylabel("validation macro F1")
    _legend(axes)


def _study(axes: Axes, task: TaskRows) -> None:
    """Test F1 with its 95 % interval at every value; by the number of training texts where that is what varies."""
    recipes = {recipe: [g for g in groups if g.shown] for recipe, groups in varied_recipes(task).items()}
    sizes = [{g.fit.examples for g in groups if g.fit} for groups in recipes.values()]
    by_size = any(len(found) > 1 for found in sizes)
    for recipe, groups in recipes.items():
        points = [_point(group, by_size) for group in groups]
        if by_size:
            points.sort(key=lambda point: point[0])
        if points:
            at, value, low, high = zip(*points, strict=True)
            axes.errorbar(at, value, yerr=(low, high), marker="o", capsize=3, label=recipe)
    if by_size:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda value, _position: f"{value:,.0f}")
    axes.set_xlabel("training texts" if by_size else task.study_axis or "variant")
    axes.set_ylabel("test macro F1, 95 % interval")
    _legend(axes)


def _point(group: Group, by_size: bool) -> tuple[Any, float, float, float]:
    quality = group.shown.quality if group.shown else None
    assert quality is not None  # noqa: S101 - a shown row has answers
    f1 = quality.macro_f1
    at = (group.fit.examples or 1) if by_size and group.fit else group.variant or ""
    return at, f1.value, f1.value - f1.low, f1.high - f1.value


def _legend(axes: Axes) -> None:
    legend = axes.legend(frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)


_DRAW = {"curves": _curves, "study": _study}
