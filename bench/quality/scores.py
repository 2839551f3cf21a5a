"""Quality of a predictions file, and of nothing else: every figure can be computed again without the model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.errors import DataError
from bench.quality.stats import (
    brier,
    class_scores,
    expected_calibration_error,
    macro_scores,
    percentile_interval,
    resample,
    wilson,
)
from bench.results.records import Answers, ClassScore, Quality
from bench.types import Ending, Prediction


def measure_quality(answers: Answers, class_names: Sequence[str], seed: int = 0) -> Quality:
    """All figures with 95 % intervals: Wilson for accuracy, seeded percentile bootstrap for the macro averages.

    An answer that names no class (label -1) counts as wrong. The confusion matrix is (k, k), rows true; invalid answers
    are in no column. Raises DataError when there are no answers.
    """
    prediction = answers.prediction
    n, k = len(answers.labels), len(class_names)
    if n == 0:
        raise DataError("no test item was answered, so there is no quality to measure")
    confusion = confusion_matrix(answers.labels, prediction.labels, k)
    samples = resample(confusion.ravel(), seed).reshape(-1, k, k + 1)
    values, spread = macro_scores(confusion), macro_scores(samples)
    precision, recall, f1 = (
        percentile_interval(float(value), each) for value, each in zip(values, spread, strict=True)
    )
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
        ece=expected_calibration_error(prediction.probabilities, answers.labels),
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
