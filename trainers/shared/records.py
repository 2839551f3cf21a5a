"""Makes the manifest of a classifier that the torch loop has trained."""

from __future__ import annotations

from typing import Any

from bench.machine.memory import peak_bytes
from bench.types import BaseWeights, ClassifierKind, Dataset, FitRecord, Manifest, Recipe
from trainers.loop.records import LoopOutcome


def loop_record(
    outcome: LoopOutcome,
    examples: int,
    tokenise_s: float,
    trainable: int,
    total: int,
    saved_bytes: int,
    notes: tuple[str, ...] = (),
    teacher_s: float = 0.0,
) -> FitRecord:
    """What training cost, for the tables; `teacher_s` are the seconds that a teacher answered."""
    return FitRecord(
        fit_s=outcome.fit_s + teacher_s,
        tokenise_s=tokenise_s,
        evaluate_s=outcome.evaluate_s,
        steps=outcome.steps,
        chosen_step=outcome.chosen_step,
        epochs=outcome.epochs,
        examples=examples,
        trainable_parameters=trainable,
        total_parameters=total,
        saved_bytes=saved_bytes,
        peak_bytes=peak_bytes(),
        precision=outcome.precision,
        curve=outcome.curve,
        notes=(*outcome.notes, *notes),
    )


def make_manifest(
    kind: ClassifierKind,
    data: Dataset,
    recipe: Recipe,
    seed: int,
    fit: FitRecord,
    max_length: int | None,
    settings: dict[str, Any],
    base: BaseWeights | None = None,
) -> Manifest:
    """The manifest without its file hashes, which save_classifier adds."""
    return Manifest(
        kind=kind,
        class_names=data.class_names,
        language=data.language,
        max_length=max_length,
        recipe=recipe,
        seed=seed,
        base_model=base.name if base else None,
        base_origin=base.origin if base else None,
        data_fingerprint=data.fingerprint,
        fit=fit,
        settings=settings,
    )
