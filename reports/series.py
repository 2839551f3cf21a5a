"""What the plots draw, in a picture file as on the page: training curves, and a study's points."""

from __future__ import annotations

from dataclasses import dataclass

from bench.types import CurvePoint
from reports.rows import Group, TaskRows
from reports.study_table import varied_recipes


@dataclass(frozen=True)
class Curve:
    """A training: texts read so far at every evaluation, and which of them is the checkpoint kept (None: unknown)."""

    name: str
    texts_read: tuple[float, ...]
    points: tuple[CurvePoint, ...]
    chosen: int | None


@dataclass(frozen=True)
class StudyPoint:
    """One variant: test macro F1 with its 95 % interval at a number of training texts, or at a named value."""

    at: float | str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Study:
    """A recipe's variants; `by_size` where the number of training texts is what varies."""

    recipe: str
    by_size: bool
    points: tuple[StudyPoint, ...]


def curves_of(task: TaskRows) -> list[Curve]:
    """The trainings that were evaluated more than once, in the plan's order."""
    return [_curve(group) for group in task.groups if group.fit and len(group.fit.curve) > 1]


def _curve(group: Group) -> Curve:
    fit = group.fit
    assert fit is not None  # noqa: S101 - it has a curve
    read = tuple(point.epoch * (fit.examples or 1) for point in fit.curve)
    chosen = next((at for at, point in enumerate(fit.curve) if point.step == fit.chosen_step), None)
    return Curve(group.name, read, fit.curve, chosen)


def studies_of(task: TaskRows) -> list[Study]:
    """One series a varied recipe that has answers; all by size as soon as one of them varies the size."""
    recipes = {recipe: [each for each in groups if each.shown] for recipe, groups in varied_recipes(task).items()}
    by_size = any(len({group.fit.examples for group in groups if group.fit}) > 1 for groups in recipes.values())
    return [_study(recipe, groups, by_size) for recipe, groups in recipes.items() if groups]


def _study(recipe: str, groups: list[Group], by_size: bool) -> Study:
    points = [_point(group, by_size) for group in groups]
    if by_size:
        points.sort(key=lambda point: float(point.at))
    return Study(recipe, by_size, tuple(points))


def _point(group: Group, by_size: bool) -> StudyPoint:
    quality = group.shown.quality if group.shown else None
    assert quality is not None  # noqa: S101 - a shown row has answers
    at = float(group.fit.examples or 1) if by_size and group.fit else group.variant or ""
    return StudyPoint(at, quality.macro_f1.value, quality.macro_f1.low, quality.macro_f1.high)
