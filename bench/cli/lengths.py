"""Counts the user's own texts in each classifier's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.classifiers.folder import load_classifier
from bench.errors import AssetError, BenchError, DataError
from bench.results.demands import OwnLengths
from bench.results.evidence import evidence_of
from bench.results.records import StoredRun
from bench.text.tokens import load_tokenizer
from bench.types import Classifier


def own_lengths(file: Path, run: StoredRun) -> OwnLengths:
    """One text or one token count a line; raises DataError for a file that cannot be read or holds nothing."""
    try:
        lines = [line for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except OSError as error:
        raise DataError(f"--lengths {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"--lengths {file} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    if not lines:
        raise DataError(f"--lengths {file} is empty; give one text or one token count a line")
    if all(line.strip().isdecimal() for line in lines):
        common = np.array([int(line) for line in lines])
        if common.min() < 1:
            raise DataError(f"--lengths {file}: a text has at least 1 token; line {int(common.argmin()) + 1} says 0")
        return OwnLengths(len(lines), {}, common)
    counted = {}
    for path in sorted((run.folder / "classifiers").glob("*")):
        try:
            classifier = load_classifier(path)
            counted[classifier.sha256] = count_tokens(classifier, lines, _find_tested(run, classifier))
        except AssetError:  # trained elsewhere, or cleared from the cache: its rows say that they could not be counted
            continue
    if not counted:
        raise BenchError(
            f"no classifier of {run.folder} is on this machine to count the texts of {file} with; give token counts, "
            "one number a line"
        )
    return OwnLengths(len(lines), counted)


def count_tokens(classifier: Classifier, texts: Sequence[str], tested: Sequence[str]) -> np.ndarray:
    """Tokens of each text as the classifier reads it, prompt included, (n,).

    A bag of words was measured by the n-grams it knows, once each, but spends its time on all it reads. So all are
    counted, and scaled by how many it knows of those in the `tested` texts; unscaled, which is too slow, without any.
    """
    if classifier.kind == "linear":
        from bench.classifiers.linear import load_linear

        linear = load_linear(classifier)
        read = _ngrams(linear.vectoriser, texts)
        known = linear.features(list(tested)).nnz if tested else 0
        return read * known / _ngrams(linear.vectoriser, tested).sum() if known else read
    return load_tokenizer(classifier).encode(texts).lengths


def _ngrams(vectoriser: Any, texts: Sequence[str]) -> np.ndarray:
    analyse = vectoriser.build_analyzer()
    return np.array([max(1, len(analyse(text))) for text in texts], dtype=float)


def _find_tested(run: StoredRun, classifier: Classifier) -> list[str]:
    """The test texts that the run kept of the classifier's task."""
    texts = evidence_of(run.folder).texts
    fingerprints = (row.data.fingerprint for row in run.results if row.classifier_sha256 == classifier.sha256)
    return list(texts(next(fingerprints, "")).values())
