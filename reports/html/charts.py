"""Collects what the page draws beside the table: latencies, training curves, scores, confusion matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.results.records import Quality, Result
from bench.results.speed_records import QUERIES_FOR, LoadRun
from bench.types import Scenario
from reports.content.automation import coverage_charts
from reports.content.results import TaskResults
from reports.content.series import Curve, PublishedCurve, curves_of, published_curves_of, score_charts
from reports.content.speed import median_run, usable
from reports.content.standing import Standing
from reports.render.markdown import clean
from reports.render.words import say, say_marked
from reports.tables.classes import MOST_CLASSES, MOST_CONFUSIONS

LATENCY_PERCENTS = (0, 5, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 85)
FEWEST_LATENCIES = QUERIES_FOR[90.0]
MOST_MATRIX_CLASSES = 30
MOST_CURVE_POINTS = 60


def latency_record(
    results: Sequence[Result], scenario: Scenario, read: Callable[[str], np.ndarray]
) -> list[list[list[float]] | None]:
    """Points (percent, milliseconds) of every row's median run; None where there is no distribution to believe.

    The upper percentiles are the run's own: one that too few queries support is left out.
    """
    return [_latencies(result, scenario, read) for result in results]


def _latencies(result: Result, scenario: Scenario, read: Callable[[str], np.ndarray]) -> list[list[float]] | None:
    summary = usable(result, scenario)
    run = median_run(summary) if summary else None
    if run is None or run.latencies_file is None or run.queries < FEWEST_LATENCIES or run.p50_ms is None:
        return None
    latencies_ns = read(run.latencies_file)
    if len(latencies_ns) < FEWEST_LATENCIES:
        return None
    low = np.percentile(latencies_ns, LATENCY_PERCENTS, method="inverted_cdf") / 1e6
    points = [*zip(LATENCY_PERCENTS, low.tolist(), strict=True), *_upper(run), (100, float(latencies_ns.max()) / 1e6)]
    return [[percent, float(f"{milliseconds:.4g}")] for percent, milliseconds in points]


def _upper(run: LoadRun) -> list[tuple[float, float]]:
    stored = ((90, run.p90_ms), (95, run.p95_ms), (99, run.p99_ms), (99.9, run.p999_ms))
    return [(percent, value) for percent, value in stored if value is not None]


def curves_record(task: TaskResults, language: str) -> list[dict[str, Any]]:
    """Every training's evaluations, thinned to MOST_CURVE_POINTS with the chosen one and the last kept.

    Published ones follow, marked so; `classifier` is the row they stand beside.
    """
    return [*map(_curve, curves_of(task)), *(_published_curve(curve, language) for curve in published_curves_of(task))]


def _curve(curve: Curve) -> dict[str, Any]:
    step = -(-len(curve.points) // MOST_CURVE_POINTS)
    kept = sorted({*range(0, len(curve.points), step), len(curve.points) - 1, *_chosen(curve)})
    points = [curve.points[at] for at in kept]
    return {
        "name": clean(curve.name),
        "classifier": clean(curve.name),
        "published": False,
        "read": [round(curve.texts_read[at]) for at in kept],
        "chosen": kept.index(curve.chosen) if curve.chosen is not None else None,
        "of": len(curve.points),
        "series": _series(
            {
                "validation macro F1": [point.f1 for point in points],
                "validation loss": [point.validation_loss for point in points],
                "training loss": [point.training_loss for point in points],
                "test macro F1": [point.test_f1 for point in points],
            }
        ),
    }


def _published_curve(curve: PublishedCurve, language: str) -> dict[str, Any]:
    """Scored on test, so only the training loss is comparable with ours everywhere."""
    return {
        "name": clean(say(curve.name, language)),
        "classifier": clean(curve.classifier),
        "published": True,
        "read": [point.texts_read for point in curve.points],
        "chosen": None,
        "of": len(curve.points),
        "series": _series(
            {
                "test macro F1": [point.f1 for point in curve.points],
                "training loss": [point.training_loss for point in curve.points],
            }
        ),
    }


def _series(named: dict[str, list[float | None]]) -> dict[str, list[float | None]]:
    """Five digits; series of which nothing is known are left out."""
    return {
        name: [None if value is None else float(f"{value:.5g}") for value in values]
        for name, values in named.items()
        if any(value is not None for value in values)
    }


def _chosen(curve: Curve) -> tuple[int, ...]:
    return () if curve.chosen is None else (curve.chosen,)


def scores_record(task: TaskResults, standing: Standing, language: str) -> list[dict[str, Any]]:
    """The charts of scores: a study, the first test texts, shares automated; lines of (at, value, low, high)."""
    return [
        {
            "title": clean(say(chart.title, language)),
            "axis": clean(say(chart.axis, language)),
            "metric": say(chart.metric, language),
            "by_size": chart.by_size,
            "lines": [
                {
                    "name": clean(say_marked(line.name, language)),
                    "published": line.published,
                    "points": [
                        [clean(point.at) if isinstance(point.at, str) else point.at]
                        + [None if part is None else round(part, 5) for part in (point.value, point.low, point.high)]
                        for point in line.points
                    ],
                }
                for line in chart.lines
            ],
        }
        for chart in (*score_charts(task), *coverage_charts(task, standing))
    ]


def matrices_record(results: Sequence[Result]) -> dict[str, Any]:
    """Per-class scores and confusions of every row; results that answered alike share one.

    With more than MOST_MATRIX_CLASSES classes the weakest classes and the most frequent confusions stand for all.
    """
    places: dict[Any, int] = {}
    qualities: list[Quality] = []
    of_row: list[int | None] = []
    for result in results:
        if result.quality is None:
            of_row.append(None)
            continue
        place = places.setdefault((result.quality.confusion, result.quality.per_class), len(places))
        if place == len(qualities):
            qualities.append(result.quality)
        of_row.append(place)
    return {"of_row": of_row, "different": [_matrix(quality) for quality in qualities]}


def _matrix(quality: Quality) -> dict[str, Any]:
    whole = len(quality.per_class) <= MOST_MATRIX_CLASSES
    order = list(range(len(quality.per_class)))
    if not whole:
        order = sorted(order, key=lambda at: quality.per_class[at].f1)[:MOST_CLASSES]
    scores = {at: quality.per_class[at] for at in order}
    return {
        "classes": [
            [at, round(s.precision, 4), round(s.recall, 4), round(s.f1, 4), s.support] for at, s in scores.items()
        ],
        "matrix": quality.confusion if whole else None,
        "confusions": _confusions(quality),
    }


def _confusions(quality: Quality) -> list[list[int]]:
    """The most frequent: count, label, answer."""
    counts = np.array(quality.confusion)
    np.fill_diagonal(counts, 0)
    top = np.argsort(-counts, axis=None, kind="stable")[:MOST_CONFUSIONS]
    found = [(int(counts.flat[at]), *map(int, divmod(int(at), counts.shape[1]))) for at in top]
    return [list(entry) for entry in found if entry[0]]
