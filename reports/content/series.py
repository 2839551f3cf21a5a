"""Collects what the plots draw: training curves, and scores over numbers of texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from bench.quality.stats import wilson
from bench.results.published import PublishedFigure, PublishedPoint
from bench.results.records import Interval, Quality
from bench.types import CurvePoint
from reports.content.published import Published
from reports.content.results import Group, TaskResults
from reports.render.words import message

SIZES = (16, 64, 256, 512)
_ROW = "D2"


@dataclass(frozen=True)
class Curve:
    """A training: texts read so far at every evaluation, and which of them is the checkpoint kept (None: unknown)."""

    name: str
    texts_read: tuple[float, ...]
    points: tuple[CurvePoint, ...]
    chosen: int | None


@dataclass(frozen=True)
class PublishedCurve:
    """The training that a write-up printed for the recipe of our `classifier`; its scores are of the test split."""

    name: str
    classifier: str
    points: tuple[PublishedPoint, ...]


@dataclass(frozen=True)
class ScorePoint:
    """A score at a number of texts or at a named value, with its 95 % interval.

    Published scores have none, nor those of too few texts.
    """

    at: float | str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ScoreLine:
    """Our result's points, or those of a published system."""

    name: str
    points: tuple[ScorePoint, ...]
    published: bool = False


@dataclass(frozen=True)
class ScoreChart:
    """Lines of one metric; `by_size` where the axis is a number of texts."""

    kind: str
    title: str
    axis: str
    metric: str
    by_size: bool
    lines: tuple[ScoreLine, ...]


def curves_of(task: TaskResults) -> list[Curve]:
    """The trainings that were evaluated more than once, in the plan's order."""
    return [_curve(group) for group in task.groups if group.fit and len(group.fit.curve) > 1]


def _curve(group: Group) -> Curve:
    fit = group.fit
    assert fit is not None  # noqa: S101 - it has a curve
    read = tuple(point.epoch * (fit.examples or 1) for point in fit.curve)
    chosen = next((at for at, point in enumerate(fit.curve) if point.step == fit.chosen_step), None)
    return Curve(group.name, read, fit.curve, chosen)


def published_curves_of(task: TaskResults) -> list[PublishedCurve]:
    """The published trainings of the recipes that were trained here, once each."""
    published = Published(task)
    found = {group.recipe: (group, points) for group in task.groups if (points := published.curve(group))}
    return [
        PublishedCurve(message("published: {system}", system=points[0].system), group.name, points)
        for group, points in found.values()
        if group.fit and len(group.fit.curve) > 1
    ]


def score_charts(task: TaskResults) -> Iterator[ScoreChart]:
    """The study, and the first test texts of system D2, as far as the task has them."""
    recipes = {recipe: [each for each in groups if each.shown] for recipe, groups in varied_recipes(task).items()}
    if any(len(groups) > 1 for groups in recipes.values()):
        yield _study(task, {recipe: groups for recipe, groups in recipes.items() if groups})
    if ours := [ScoreLine(group.name, _first_points(task, group)) for group in instructed(task)]:
        theirs = published_instructed(task).items()
        yield ScoreChart(
            kind="first-texts",
            title=message("Accuracy on the first test texts"),
            axis=message("test texts"),
            metric=message("test accuracy"),
            by_size=True,
            lines=(*ours, *(_published_line(system, figures, None) for system, figures in theirs)),
        )


def _study(task: TaskResults, recipes: dict[str, list[Group]]) -> ScoreChart:
    """Macro F1; accuracy where published points, which are accuracies, stand beside ours. By the number of training
    texts as soon as one recipe varies it.
    """
    by_size = any(len({group.fit.examples for group in groups if group.fit}) > 1 for groups in recipes.values())
    facts = Published(task).figures if by_size else ()
    published = [
        _published_line(own[0].system, own, _full_size(task, own[0]))
        for recipe in recipes
        if (own := [each for each in facts if each.recipe == recipe and each.metric == "accuracy" and each.setting])
    ]
    ours = [ScoreLine(recipe, _points(groups, by_size, bool(published))) for recipe, groups in recipes.items()]
    return ScoreChart(
        kind="study",
        title=message(task.study or "Variants"),
        axis=message("training texts") if by_size else message(task.study_axis or "variant"),
        metric=message("test accuracy") if published else message("test macro F1"),
        by_size=by_size,
        lines=(*ours, *published),
    )


def _points(groups: list[Group], by_size: bool, accuracy: bool) -> tuple[ScorePoint, ...]:
    points = [_point(group, by_size, accuracy) for group in groups]
    if by_size:
        points.sort(key=lambda point: float(point.at))
    return tuple(points)


def _point(group: Group, by_size: bool, accuracy: bool) -> ScorePoint:
    quality: Quality | None = group.shown.quality if group.shown else None
    assert quality is not None  # noqa: S101 - a shown result has answers
    at = float(group.fit.examples or 1) if by_size and group.fit else group.variant or ""
    return _at(at, quality.accuracy if accuracy else quality.macro_f1)


def _at(at: float | str, score: Interval) -> ScorePoint:
    if score.items_needed is not None:
        return ScorePoint(at, score.value)
    return ScorePoint(at, score.value, score.low, score.high)


def _first_points(task: TaskResults, group: Group) -> tuple[ScorePoint, ...]:
    scores = [(size, first_accuracy(task, group, size)) for size in SIZES]
    return tuple(_at(float(size), score) for size, score in scores if score)


def _published_line(system: str, figures: Iterable[PublishedFigure], full: int | None) -> ScoreLine:
    """In the order of the sizes; the figure for all texts stands at `full`, and nowhere where that is not known."""
    placed = [(full if figure.setting == "all" else int(figure.setting), figure.share) for figure in figures]
    points = sorted((float(size), share) for size, share in placed if size)
    name = message("published: {system}", system=system)
    return ScoreLine(name, tuple(ScorePoint(size, share) for size, share in points), published=True)


def _full_size(task: TaskResults, figure: PublishedFigure) -> int | None:
    """All training texts of the published split, where it is ours."""
    return task.data.full_sizes.train if figure.suite == task.data.task else None


def instructed(task: TaskResults) -> list[Group]:
    """The classifiers of system D2 whose answers are there."""
    return [each for each in task.groups if each.system == _ROW and each.shown and each.shown.cell.id in task.answers]


def published_instructed(task: TaskResults) -> dict[str, list[PublishedFigure]]:
    """The published accuracies of system D2, all systems, whichever of them were run here."""
    found: dict[str, list[PublishedFigure]] = {}
    for figure in Published(task).figures:
        if figure.row == _ROW and figure.metric == "accuracy":
            found.setdefault(figure.system, []).append(figure)
    return found


def first_accuracy(task: TaskResults, group: Group, size: int) -> Interval | None:
    """Accuracy on the first `size` test texts with its Wilson interval; None where fewer were answered."""
    answers = task.answers[group.shown.cell.id] if group.shown else None
    if answers is None or len(answers.ids) < size:
        return None
    first = np.argsort(answers.ids, kind="stable")[:size]
    return wilson(int((answers.prediction.labels[first] == answers.labels[first]).sum()), size)


def varied_recipes(task: TaskResults) -> dict[str, list[Group]]:
    """The variants of each recipe that has some."""
    found: dict[str, list[Group]] = {}
    for group in task.groups:
        if group.variant_of:
            found.setdefault(group.variant_of, []).append(group)
    return found
