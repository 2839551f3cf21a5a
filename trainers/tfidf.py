"""Trains TF-IDF and logistic regression: the baseline every other method has to beat."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.classifiers.folder import save_classifier
from bench.classifiers.linear import make_vectoriser, save_linear
from bench.text.language import is_spaceless, lacks_words
from bench.types import Classifier, Dataset, FitRecord, Manifest, Progress
from trainers.params import Params, read_params
from trainers.shared.heads import choose_logistic_regression
from trainers.trainer import RecipeTrainer


class TfidfParams(Params):
    """Word n-grams for languages that put spaces between words, character n-grams for others and where words lack."""

    word_ngrams: int = 2
    character_ngrams: int = 3
    max_features: int = 200_000
    strengths: tuple[float, ...] = (1.0, 4.0, 16.0)


class TfidfTrainer(RecipeTrainer):
    """Fits scikit-learn's vectoriser and head; stores numbers and words only."""

    params_type = TfidfParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Choose the regularisation on validation and write the classifier folder."""
        params = read_params(self.recipe, TfidfParams)
        by_character = is_spaceless(data.language) or lacks_words(data.train.texts)
        analyser = "char" if by_character else "word"
        longest = params.character_ngrams if by_character else params.word_ngrams
        progress("counting words", 0, 2)
        started = time.perf_counter()
        vectoriser: Any = make_vectoriser(analyser, longest, max_features=params.max_features)
        features = vectoriser.fit_transform(data.train.texts)
        counted_s = time.perf_counter() - started
        progress("fitting the head", 1, 2)
        head = choose_logistic_regression(
            features,
            data.train.labels,
            vectoriser.transform(data.validation.texts),
            data.validation.labels,
            len(data.class_names),
            params.strengths,
            seed,
        )
        weight, bias = head.weights["0.weight"], head.weights["0.bias"]
        save_linear(out, vectoriser, weight, bias)
        parameters = int(np.size(weight) + np.size(bias))
        manifest = Manifest(
            kind="linear",
            class_names=data.class_names,
            language=data.language,
            recipe=self.recipe,
            seed=seed,
            data_fingerprint=data.fingerprint,
            settings={"analyser": analyser, "longest_ngram": longest, "strength": head.strength},
            fit=FitRecord(
                fit_s=head.fit_s,
                tokenise_s=counted_s,
                evaluate_s=head.evaluate_s,
                examples=len(data.train),
                trainable_parameters=parameters,
                total_parameters=parameters,
                saved_bytes=sum(file.stat().st_size for file in out.iterdir()),
                curve=(head.point,),
                notes=(f"regularisation C = {head.strength:g} chosen on validation",),
            ),
        )
        progress("fitted", 2, 2)
        return save_classifier(out, manifest)
