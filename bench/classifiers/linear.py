"""Stores bag-of-words classifiers: numbers and a vocabulary, no pickled code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from bench.errors import AssetError
from bench.types import Classifier

WEIGHTS = "linear.safetensors"
VOCABULARY = "vocabulary.json"


@dataclass(frozen=True)
class LinearClassifier:
    """TF-IDF features and a linear layer: weight float32 (k, features), bias float32 (k,)."""

    vectoriser: Any
    weight: np.ndarray
    bias: np.ndarray

    def features(self, texts: list[str]) -> Any:
        """Sparse TF-IDF matrix (n, features)."""
        return self.vectoriser.transform(texts)

    def logits(self, features: Any) -> np.ndarray:
        """float32 (n, k)."""
        return np.asarray(features @ self.weight.T + self.bias, dtype=np.float32)


def make_vectoriser(analyser: str, longest_ngram: int, **options: Any) -> Any:
    """The vectoriser of a classifier, not fitted: words (scikit-learn's pattern) or characters, sublinear counts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        analyzer=analyser, ngram_range=(1, longest_ngram), sublinear_tf=True, dtype=np.float32, **options
    )


def save_linear(folder: Path, vectoriser: Any, weight: np.ndarray, bias: np.ndarray) -> None:
    """Write what a fitted classifier consists of."""
    words = sorted(vectoriser.vocabulary_, key=vectoriser.vocabulary_.__getitem__)
    (folder / VOCABULARY).write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
    tensors = {
        "idf": vectoriser.idf_.astype(np.float32),
        "weight": np.ascontiguousarray(weight, dtype=np.float32),
        "bias": bias.astype(np.float32),
    }
    save_file(tensors, folder / WEIGHTS)


def load_linear(classifier: Classifier) -> LinearClassifier:
    """Read it back; raises AssetError when its parts do not fit each other."""
    settings = classifier.manifest.settings
    try:
        tensors = load_file(classifier.path / WEIGHTS)
        words = json.loads((classifier.path / VOCABULARY).read_text(encoding="utf-8"))
        vectoriser = make_vectoriser(
            settings["analyser"], settings["longest_ngram"], vocabulary={word: row for row, word in enumerate(words)}
        )
        vectoriser.idf_ = tensors["idf"]
        return LinearClassifier(vectoriser, tensors["weight"], tensors["bias"])
    except (OSError, KeyError, ValueError) as error:
        raise AssetError(f"{classifier.path} cannot be loaded ({error}); train the classifier again") from error
