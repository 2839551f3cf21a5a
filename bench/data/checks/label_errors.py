"""Finds labels that are likely wrong by confident learning (Northcutt, Jiang and Chuang, JAIR 70, 2021)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.classifiers.linear import make_vectoriser
from bench.text.language import is_spaceless, lacks_words

FOLDS = 5
STRENGTH = 4.0
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
    """Likely errors among labels int64 (n,); None where a class has too few texts to hold some out of every fold."""
    counts = np.bincount(labels, minlength=classes)
    if counts[counts > 0].min() < 2 or (counts > 0).sum() < 2:
        return None
    return confident_learning(out_of_fold(texts, labels, classes, language), labels)


def out_of_fold(texts: Sequence[str], labels: np.ndarray, classes: int, language: str) -> np.ndarray:
    """Probabilities float64 (n, k) of TF-IDF and logistic regression that have not seen the text they judge."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    by_character = is_spaceless(language) or lacks_words(texts)
    vectoriser = make_vectoriser("char" if by_character else "word", 3 if by_character else 2, max_features=MOST_FEATURES)
    features = vectoriser.fit_transform(texts)
    found = np.zeros((len(labels), classes))
    smallest = int(np.bincount(labels)[np.bincount(labels) > 0].min())
    folds = StratifiedKFold(min(FOLDS, smallest), shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that stops early ranks as well
        for kept, held in folds.split(features, labels):
            model = LogisticRegression(C=STRENGTH, max_iter=60, tol=1e-3).fit(features[kept], labels[kept])
            found[np.ix_(held, model.classes_)] = model.predict_proba(features[held])
    return found


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
