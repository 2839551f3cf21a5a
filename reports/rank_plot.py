"""Draws methods over all suites: mean ranks with intervals, the critical difference, groups not told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.quality.across import Across
from reports.plots import FOLDER, svg_of
from reports.render.markdown import clean
from reports.render.words import ENGLISH, message, say

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def rank_plot_path(language: str) -> str:
    """Where the picture lies beside the leaderboard."""
    return f"{FOLDER}/across.ranks.{'svg' if language == ENGLISH else f'{language}.svg'}"


def caption(across: Across) -> str:
    """What the lines of the picture are."""
    if across.critical_difference is None:
        return message("dot: mean rank, 1 is best; line: its 95 % interval; thick bar: methods not told apart")
    return message(
        "dot: mean rank, 1 is best; line: its 95 % interval; thick bar: methods not told apart; line at the top: the "
        "critical difference, {difference:.2f}",
        difference=across.critical_difference,
    )


def draw_ranks(across: Across, language: str) -> bytes:
    """The SVG file; the same comparison gives the same bytes."""
    title = say(message("Methods across suites"), language)
    return svg_of(rank_plot_path(language), title, lambda axes: _draw(axes, across, language))


def _draw(axes: Axes, across: Across, language: str) -> None:
    methods = across.rows
    for at, method in enumerate(methods):
        if method.low is not None and method.high is not None:
            axes.plot([method.low, method.high], [at, at], color="C0", linewidth=1.5)
        axes.plot(method.mean_rank, at, marker="o", color="C0")
    places = {method.name: at for at, method in enumerate(methods)}
    for number, group in enumerate(across.groups):
        beside = len(methods) + 0.15 + 0.12 * number
        axes.plot(
            [beside, beside], [places[group[0]], places[group[-1]]], color="black", linewidth=4, solid_capstyle="butt"
        )
    if across.critical_difference is not None:
        axes.plot([1, 1 + across.critical_difference], [-0.6, -0.6], color="black", linewidth=2)
    axes.set_yticks(range(len(methods)), [clean(method.name) for method in methods], parse_math=False)
    axes.set_ylim(len(methods) - 0.5, -1)
    axes.set_xlabel(say("mean rank", language))
