"""An invented run whose classifiers know how sure they are: answers of many confidences, validation answers too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from synthetic_runs import EAGER, MINILM, ONNX, SKLEARN, Engine, Method, data_card, result_of, stored_run

from bench.results.records import Answers, StoredRun
from bench.types import Prediction

TEST, VALIDATION = 4000, 1000
METHODS = (
    Method("tfidf", None, 0.88, 5200, 1.4, (SKLEARN,)),
    Method("full-finetune", MINILM, 0.93, 95, 210, (EAGER, ONNX)),
    Method("zero-shot", "HuggingFaceTB/SmolLM2-135M", 0.70, 6.2, 0.0, (EAGER,)),
)
ASKED = ("tfidf", "full-finetune")  # a language model is not asked validation texts


def graded_answers(hardness: np.ndarray, labels: np.ndarray, k: int, accuracy: float, seed: int) -> Answers:
    """Answers to texts of a hardness float (n,) in [0, 1]: the harder, the less sure and the oftener wrong.

    The chance to be right is 1 - hardness^p at every text, with p such that its mean is the accuracy; the probability
    given lies halfway between that and 1: too sure.
    """
    power = accuracy / (1 - accuracy)
    random = np.random.default_rng(seed)
    chance = np.maximum(1 - np.clip(hardness + random.normal(0, 0.03, len(hardness)), 0, 1) ** power, 1 / k)
    right = random.random(len(labels)) < chance
    given = np.where(right, labels, (labels + random.integers(1, k, len(labels))) % k)
    confidence = np.maximum((1 + chance) / 2, 1 / k + 0.01).astype(np.float32)
    probabilities = np.repeat(((1 - confidence) / (k - 1))[:, None], k, axis=1).astype(np.float32)
    probabilities[np.arange(len(labels)), given] = confidence
    n = len(labels)
    return Answers(np.arange(n), labels, Prediction(probabilities, given, np.full(n, 40, np.int32), np.zeros(n, bool)))


def _split(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.random(n), random.integers(0, k, n)


def automation_run(methods: tuple[Method, ...] = METHODS, test: int = TEST, validation: int = VALIDATION) -> StoredRun:
    """Every engine of a classifier gives the same answers, and shares its validation answers."""
    card = data_card(test=test)
    k = len(card.class_names)
    tested, asked = _split(test, k, 1), _split(validation, k, 2)
    results, answers, validated = [], {}, {}
    for number, method in enumerate(methods):
        own = graded_answers(*tested, k, method.accuracy, 10 + number)
        of_validation = graded_answers(*asked, k, method.accuracy, 20 + number)
        for engine in method.engines:
            result = result_of(card, method, _as_it_is(engine), own)
            answers[result.cell.id] = own
            if method.recipe in ASKED:
                file = f"validation/{card.task}.{method.recipe}.s0.{method.engines[0].name}.parquet"
                result = result.model_copy(update={"validation_file": file})
                validated[result.cell.id] = of_validation
            results.append(result)
    return replace(stored_run(results, answers), validation=validated)


def _as_it_is(engine: Engine) -> Engine:
    return engine if engine.flips == 0 else replace(engine, flips=0.0)
