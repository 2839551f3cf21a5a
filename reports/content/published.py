"""Finds the published figures that belong beside a task's results: marked as published, never ranked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.results.published import PublishedFigure, PublishedPoint, published_figures, published_points
from reports.content.results import Group, TaskResults
from reports.render.figures import MISSING
from reports.render.table import Column
from reports.render.words import joined, message

ENGINES = {"HF": ("eager", "eager-bf16", "pipeline"), "vLLM": ("vllm",)}


@dataclass(frozen=True)
class Published:
    """What was published on a task's data; nothing for the built-in samples, which compare with nothing."""

    task: TaskResults

    @property
    def figures(self) -> tuple[PublishedFigure, ...]:
        """Every figure of the task, its variants' included (the published split may be another: see `notes`)."""
        if self.task.data.source.kind == "sample":
            return ()
        return tuple(figure for figure in published_figures() if self._is_of_task(figure.suite))

    def find(
        self, group: Group, metrics: Iterable[str], engine: str | None = None, setting: str | None = None
    ) -> PublishedFigure | None:
        """The first metric that was published of the group's recipe; None where none was."""
        recipe = group.variant_of or group.recipe
        own = [figure for figure in self.figures if figure.recipe == recipe and figure.setting == (setting or "")]
        if engine is not None:
            own = [figure for figure in own if engine in ENGINES.get(figure.engine, ())]
        return next((figure for metric in metrics for figure in own if figure.metric == metric), None)

    def curve(self, group: Group) -> tuple[PublishedPoint, ...]:
        """The published training curve of the group's recipe."""
        if self.task.data.source.kind == "sample":
            return ()
        points = published_points()
        return tuple(point for point in points if point.recipe == group.recipe and self._is_of_task(point.suite))

    def notes(self, shown: Iterable[PublishedFigure | PublishedPoint | None]) -> tuple[str, ...]:
        """What a reader must know of the figures shown: their source, and whether they were of this data."""
        figures = [figure for figure in shown if figure is not None]
        if not figures:
            return ()
        sources = ", ".join(dict.fromkeys(figure.source for figure in figures))
        notes = [
            message(
                "published: the write-up's own figure, model and hardware ({sources}); not measured here, never "
                "ranked with ours",
                sources=sources,
            )
        ]
        elsewhere = dict.fromkeys(figure.suite for figure in figures if figure.suite != self.task.data.task)
        if elsewhere:
            notes.append(
                message(
                    "published on {suites}, other test texts than those of {task}",
                    suites=", ".join(elsewhere),
                    task=self.task.data.task,
                )
            )
        return tuple(notes)

    def _is_of_task(self, suite: str) -> bool:
        return suite.partition("/")[0] == self.task.data.task.partition("/")[0]


def published_column(name: str = "published") -> Column:
    """The column beside ours; narrow terminals do without it."""
    return Column(name, from_width=130)


def published_cell(figure: PublishedFigure | None) -> str:
    """Value, model, hardware and what to know: "13.2 req/s (Qwen3-0.6B, RTX 3090 24G, max output tokens 8)"."""
    if figure is None:
        return MISSING
    return joined("", (figure.text, " (", published_origin(figure), ")"))


def published_origin(figure: PublishedFigure) -> str:
    """Model, hardware and what to know of a published figure."""
    parts = [figure.system, figure.hardware or message("hardware not stated")]
    return joined(", ", [*parts, message(figure.note)] if figure.note else parts)


def departures(task: TaskResults, group: Group) -> list[str]:
    """In what our result is not the published system: a stand-in model, fewer texts."""
    found: list[str] = []
    sizes, full = task.data.sizes, task.data.full_sizes
    if group.stands_for:
        found.append(message("stand-in: {small} for {published}", small=group.short_base, published=group.stands_for))
    examples = group.fit.examples if group.fit else None
    if examples and examples < full.train:
        found.append(message("trained on {used:,} of {full:,} texts", used=examples, full=full.train))
    tested = group.shown.quality.n if group.shown and group.shown.quality else sizes.test
    if tested < full.test:
        found.append(message("tested on {used:,} of {full:,} texts", used=tested, full=full.test))
    return found
