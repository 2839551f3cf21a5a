"""An invented study: sample sizes, and a language model that writes its answers before and after training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from synthetic_runs import EAGER, MINILM, Method, answers_of, data_card, result_of, stored_run

from bench.results.records import StoredRun
from bench.types import CurvePoint


def study_run() -> StoredRun:
    """A sample-size study, and a language model that writes its answers before and after training."""
    card = data_card("sst2", test=500, title="SST-2", class_names=("negative", "positive"))
    labels = np.random.default_rng(0).integers(0, 2, 500)
    results, answers = [], {}

    def add(name: str, accuracy: float, cell: dict[str, object], fit: dict[str, object], invalid: int = 0) -> None:
        given = answers_of(labels, 2, accuracy, len(results))
        if invalid:
            predicted = given.prediction.labels.copy()
            predicted[:invalid] = -1
            given = replace(given, prediction=replace(given.prediction, labels=predicted))
        method = Method(name, MINILM, accuracy, 90, 60, (EAGER,))
        result = result_of(card, method, EAGER, given, 0)
        record = result.fit.model_copy(update=fit) if result.fit else None
        results.append(result.model_copy(update={"cell": result.cell.model_copy(update=cell), "fit": record}))
        answers[result.cell.id] = given

    for size, accuracy in ((16, 0.55), (256, 0.78), (4096, 0.9)):
        add(
            f"lora@{size}",
            accuracy,
            {"variant_of": "lora", "variant": str(size), "row": "D1", "stands_for": "deberta-v3-base"},
            {"examples": size, "saved_bytes": 1_200_000},
        )
    tested = tuple(
        CurvePoint(
            step=step,
            epoch=step / 100,
            training_loss=0.5,
            validation_loss=0.4,
            accuracy=f1,
            precision=f1,
            recall=f1,
            f1=f1,
            test_accuracy=f1 + gain,
            test_precision=f1 + gain,
            test_recall=f1 + gain,
            test_f1=f1 + gain,
        )
        for step, f1, gain in ((100, 0.9, 0.0), (200, 0.91, -0.02), (300, 0.89, 0.02))
    )
    add("full-finetune", 0.91, {"row": "A1"}, {"curve": tested, "chosen_step": 200, "saved_bytes": 90_000_000})
    for name, accuracy, trained, invalid in (("before-tuning", 0.6, 0, 60), ("sft-lora", 0.88, 900_000, 0)):
        update = {"trainable_parameters": trained, "curve": (), "saved_bytes": trained * 4}
        add(name, accuracy, {"row": "C12"}, update, invalid)
        results[-1] = results[-1].model_copy(update={"classifier_kind": "generate"})
    return stored_run(
        results, answers, tasks=("sst2",), study="How many training texts does it take?", study_axis="training texts"
    )
