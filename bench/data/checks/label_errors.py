"""Finds labels that are likely wrong by confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.classifiers.linear import make_vectoriser
from bench.text.language import is_spaceless, lacks_words

FIRST_FOLDS = 5
FOLDS = 10
LONGEST = 3
STRENGTH = 4.0
MOST_EXACT_CLASSES = 20  # beyond them one exact fit a class takes minutes
MOST_FEATURES = 200_000


@dataclass(frozen=True)
class LabelErrors:
    """What the out-of-fold probabilities say of n labels.

    probabilities float64 (n, k); order int64 (n,): rows, the likeliest errors first; doubtful bool (n,): rows that the
    confident joint counts in another class than their label says; likely int64 (n,): that class; joint int64 (k, k):
    texts with label i that are confidently j.
    """

    probabilities: np.ndarray
    order: np.ndarray
    doubtful: np.ndarray
    likely: np.ndarray
    joint: np.ndarray

    @property
    def noise(self) -> float:
        """Share of the texts whose label is doubtful."""
        return float(self.doubtful.mean())


def find_label_errors(texts: Sequence[str], labels: np.ndarray, classes: int, language: str) -> LabelErrors | None:
    """Likely errors among labels int64 (n,); None where a class has too few texts to hold some out of every fold.

    Two rounds: the second learns from the texts that the first does not doubt.
    """
    counts = np.bincount(labels, minlength=classes)
    if (counts == 1).any() or (counts > 0).sum() < 2:
        return None
    features = _features(texts, language)
    first = confident_learning(out_of_fold(features, labels, classes, FIRST_FOLDS), labels)
    kept = ~first.doubtful
    if not all((labels[kept] == label).sum() > 1 for label in np.flatnonzero(counts)):
        return first
    return confident_learning(out_of_fold(features, labels, classes, FOLDS, kept), labels)


def _features(texts: Sequence[str], language: str) -> Any:
    """TF-IDF of up to three words, one-letter words too, or of up to three characters where words have no spaces."""
    by_character = is_spaceless(language) or lacks_words(texts)
    options = {} if by_character else {"token_pattern": r"(?u)\b\w+\b"}
    vectoriser = make_vectoriser("char" if by_character else "word", LONGEST, max_features=MOST_FEATURES, **options)
    return vectoriser.fit_transform(texts).astype(np.float64)


def out_of_fold(
    features: Any, labels: np.ndarray, classes: int, folds: int, kept: np.ndarray | None = None
) -> np.ndarray:
    """Probabilities float64 (n, k) of logistic regressions, one against the rest, that have not seen what they judge.

    features: sparse (n, f); kept bool (n,): the rows to learn from, all by default.
    """
    from sklearn.model_selection import StratifiedKFold

    smallest = int(np.bincount(labels)[np.bincount(labels) > 0].min())
    found = np.zeros((len(labels), classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that stops early ranks as well
        for rows, held in StratifiedKFold(min(folds, smallest), shuffle=True, random_state=0).split(features, labels):
            learnt = rows if kept is None else rows[kept[rows]]
            found[held] = _one_against_rest(features[learnt], labels[learnt], features[held], classes)
    return found


def _one_against_rest(features: Any, labels: np.ndarray, held: Any, classes: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression, SGDClassifier

    there = np.unique(labels)
    if len(there) == 1:
        return np.eye(classes)[np.full(held.shape[0], there[0])]
    found = np.zeros((held.shape[0], classes))
    if len(there) > MOST_EXACT_CLASSES:
        model = SGDClassifier(loss="log_loss", alpha=1.0 / (STRENGTH * len(labels)), random_state=0)
        found[:, there] = model.fit(features, labels).predict_proba(held)
        return found
    for label in there[1:] if len(there) == 2 else there:
        model = LogisticRegression(C=STRENGTH, solver="liblinear", dual=True, max_iter=50, random_state=0)
        found[:, label] = model.fit(features, labels == label).predict_proba(held)[:, 1]
    if len(there) == 2:
        found[:, there[0]] = 1.0 - found[:, there[1]]
    return found / np.maximum(found.sum(axis=1, keepdims=True), 1e-12)


def confident_learning(probabilities: np.ndarray, labels: np.ndarray) -> LabelErrors:
    """Judge labels int64 (n,) by out-of-fold probabilities float (n, k).

    A class's threshold is the mean probability that texts with its label have for it. A text counts in the class with
    the largest probability among those over their threshold; where that is not its label, the label is doubtful. The
    order is by the normalised margin: the label's probability minus the largest of the others.
    """
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    k = probabilities.shape[1]
    thresholds = np.array([own[labels == label].mean() if (labels == label).any() else np.inf for label in range(k)])
    over = np.where(probabilities >= thresholds - 1e-12, probabilities, -1.0)
    likely = np.where(over.max(axis=1) > 0, over.argmax(axis=1), labels)
    joint = np.zeros((k, k), dtype=np.int64)
    np.add.at(joint, (labels, likely), 1)
    others = probabilities.copy()
    others[rows, labels] = -np.inf
    margin = own - others.max(axis=1)
    return LabelErrors(probabilities, np.argsort(margin, kind="stable"), likely != labels, likely, joint)


def overlapping_classes(errors: LabelErrors, most: int = 5) -> list[tuple[int, int, float]]:
    """Pairs of classes (label, likely class) by the share of the label's texts that are confidently the other."""
    counts = errors.joint.sum(axis=1)
    pairs = [
        (i, j, errors.joint[i, j] / counts[i])
        for i in range(len(counts))
        for j in range(len(counts))
        if i != j and errors.joint[i, j] > 0
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:most]
