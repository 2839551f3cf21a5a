"""Computes how much each result may answer alone, from its stored answers: thresholds, curves, calibration."""

from __future__ import annotations

from collections.abc import Iterator

from bench.quality.selective import (
    Automation,
    Calibration,
    area_under_risk_coverage,
    automation,
    calibration,
    risk_coverage,
)
from bench.results.records import Interval, Result
from reports.content.results import Group, TaskResults
from reports.content.series import ScoreChart, ScoreLine, ScorePoint
from reports.content.standing import Standing
from reports.render import figures
from reports.render.words import message

MOST_LINES = 8
KEPT = ("held", "likely held")


def automation_of(task: TaskResults, result: Result, target: float) -> Automation | None:
    """What the result's threshold for a target accuracy gives; None where it has no answers or too few chose it."""
    answers = task.answers.get(result.cell.id)
    if answers is None:
        return None
    key = ("automation", result.cell.id, target)
    if key not in task.counted:
        task.counted[key] = automation(task.validation.get(result.cell.id), answers, target)
    found: Automation = task.counted[key]
    return found if found.enough and found.n else None


def area_of(task: TaskResults, result: Result) -> Interval | None:
    """The result's area under the risk-coverage curve."""
    answers = task.answers.get(result.cell.id)
    return area_under_risk_coverage(answers) if answers is not None else None


def calibration_of(task: TaskResults, result: Result) -> Calibration | None:
    """What the temperature fitted on validation does to the result's probabilities; None without validation answers."""
    answers, validation = task.answers.get(result.cell.id), task.validation.get(result.cell.id)
    return calibration(validation, answers) if answers is not None and validation is not None else None


def shown_results(task: TaskResults, standing: Standing) -> list[tuple[Group, Result]]:
    """One result a classifier, which stands for it, best first."""
    results = [(group, group.shown) for group in task.groups if group.shown and group.shown.cell.id in task.answers]
    places = standing.places
    return sorted(results, key=lambda entry: places.get(entry[1].cell.id, len(places)))


def coverage_cell(found: Automation | None) -> str:
    """ "71.0 % ±2.0", with the accuracy on test behind it where that missed the target."""
    if found is None:
        return figures.MISSING
    shown = figures.percent_plus_minus(found.coverage)
    if found.accuracy is None or found.fate in KEPT:
        return shown
    return message("{coverage} (right {accuracy})", coverage=shown, accuracy=figures.percent(found.accuracy.value))


def automated_cells(found: Automation | None) -> tuple[str, str]:
    """Coverage and the accuracy that came out."""
    if found is None:
        return figures.MISSING, figures.MISSING
    right = figures.percent_plus_minus(found.accuracy) if found.accuracy else figures.MISSING
    return figures.percent_plus_minus(found.coverage), right


def coverage_charts(task: TaskResults, standing: Standing) -> Iterator[ScoreChart]:
    """The risk-coverage curve of each of the best classifiers, as the accuracy of what is automated."""
    results = shown_results(task, standing)[:MOST_LINES]
    lines = [ScoreLine(group.name, points) for group, result in results if len(points := _points(task, result)) > 1]
    if lines:
        yield ScoreChart(
            kind="automation",
            title=message("Accuracy of the answers automated, most confident first"),
            axis=message("share of test texts automated (%)"),
            metric=message("test accuracy"),
            by_size=False,
            lines=tuple(lines),
        )


def _points(task: TaskResults, result: Result) -> tuple[ScorePoint, ...]:
    curve = risk_coverage(task.answers[result.cell.id])
    return tuple(ScorePoint(f"{share:.0%}"[:-1], each.value, each.low, each.high) for share, each in curve)
