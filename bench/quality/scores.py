"""Scores a predictions file, and nothing else: every figure can be computed again without the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import DataError
from bench.quality.intervals import class_mean_interval, items_needed
from bench.quality.stats import brier, class_scores, expected_calibration_error, wilson
from bench.results.records import Answers, ClassScore, Interval, Quality
from bench.types import Ending, Prediction


@dataclass(frozen=True)
class MacroScores:
    """Averages over the classes that have a text among those answered."""

    precision: float
    recall: float
    f1: float


def macro_scores(labels: np.ndarray, predicted: np.ndarray, k: int) -> MacroScores:
    """Macro precision, recall and F1 of answers int (n,) against labels int (n,): on test and on validation alike.

    A class without a text is in no average: no answer can be right for it. These are scikit-learn's averages with
    `labels` set to the labels that occur, which is what it does by itself unless such a class was answered.
    """
    confusion = confusion_matrix(labels, predicted, k)
    tested = confusion.sum(axis=1) > 0
    return MacroScores(*(float(each[tested].mean()) for each in class_scores(confusion)))


def measure_quality(answers: Answers, class_names: Sequence[str]) -> Quality:
    """All figures with 95 % intervals: Wilson for accuracy, class_mean_interval for the macro averages.

    An answer that names no class (label -1) counts as wrong. The confusion matrix is (k, k), rows true; invalid answers
    are in no column. Raises DataError when there are no answers.
    """
    prediction = answers.prediction
    n, k = len(answers.labels), len(class_names)
    if n == 0:
        raise DataError("no test item was answered, so there is no quality to measure")
    confusion = confusion_matrix(answers.labels, prediction.labels, k)
    precision, recall, f1 = _macro_intervals(confusion)
    return Quality(
        n=n,
        accuracy=wilson(int((answers.labels == prediction.labels).sum()), n),
        macro_f1=f1,
        macro_precision=precision,
        macro_recall=recall,
        valid_share=float((prediction.labels >= 0).mean()),
        cut_off_share=_ending_share(prediction, Ending.CUT_OFF),
        empty_share=_ending_share(prediction, Ending.EMPTY),
        refused_share=_ending_share(prediction, Ending.REFUSED),
        ece=expected_calibration_error(prediction.probabilities, prediction.labels, answers.labels),
        brier=brier(prediction.probabilities, answers.labels),
        truncated_share=float(prediction.truncated.mean()),
        tokens_mean=float(prediction.token_counts.mean()),
        per_class=_per_class(confusion, class_names),
        confusion=tuple(tuple(row) for row in confusion[:, :k].tolist()),
    )


def _ending_share(prediction: Prediction, ending: Ending) -> float | None:
    return None if prediction.endings is None else float((prediction.endings == ending).mean())


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, k: int) -> np.ndarray:
    """Counts int64 (k, k + 1): rows true, columns predicted, the last column for answers that name no class."""
    columns = np.where(predicted < 0, k, predicted)
    return np.bincount(labels * (k + 1) + columns, minlength=k * (k + 1)).reshape(k, k + 1)


def _macro_intervals(confusion: np.ndarray) -> tuple[Interval, Interval, Interval]:
    k = len(confusion)
    right = np.diagonal(confusion).astype(float)
    texts, answered = confusion.sum(axis=1).astype(float), confusion[:, :k].sum(axis=0).astype(float)
    return (
        _without(class_mean_interval(right, answered, texts > 0), items_needed(texts, precision=True)),
        _without(class_mean_interval(right, texts, texts > 0), items_needed(texts)),
        _without(class_mean_interval(right, (texts + answered) / 2, texts > 0), items_needed(texts)),
    )


def _without(figure: Interval, needed: int | None) -> Interval:
    """The figure, without its interval where that takes more texts."""
    return figure if needed is None else Interval(value=figure.value, low=0.0, high=1.0, items_needed=needed)


def _per_class(confusion: np.ndarray, class_names: Sequence[str]) -> tuple[ClassScore, ...]:
    precision, recall, f1 = class_scores(confusion)
    support = confusion.sum(axis=1)
    return tuple(
        ClassScore(
            name=name,
            precision=float(precision[row]),
            recall=float(recall[row]),
            f1=float(f1[row]),
            support=int(support[row]),
        )
        for row, name in enumerate(class_names)
    )
