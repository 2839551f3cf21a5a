"""The user's own texts, counted in each classifier's tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.artifacts import load_classifier
from bench.demands import OwnLengths
from bench.errors import AssetError, BenchError, DataError
from bench.results import StoredRun
from bench.tokens import load_tokenizer
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
            counted[classifier.sha256] = count_tokens(classifier, lines)
        except AssetError:  # trained elsewhere, or cleared from the cache: its rows say that they could not be counted
            continue
    if not counted:
        raise BenchError(
            f"no classifier of {run.folder} is on this machine to count the texts of {file} with; give token counts, "
            "one number a line"
        )
    return OwnLengths(len(lines), counted)


def count_tokens(classifier: Classifier, texts: Sequence[str]) -> np.ndarray:
    """Tokens of each text as the classifier reads it, prompt included, int (n,); a bag of words counts its n-grams."""
    if classifier.kind == "linear":
        from bench.linear import load_linear

        return np.diff(load_linear(classifier).features(list(texts)).indptr)
    return load_tokenizer(classifier).encode(texts).lengths
