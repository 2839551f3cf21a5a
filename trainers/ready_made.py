"""A classifier that somebody else has trained: loaded as it is, its labels matched with the task's classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.classifiers.folder import save_classifier
from bench.classifiers.pretrained import link_model, load_pretrained
from bench.classifiers.sequence import find_head
from bench.errors import UsageError
from bench.types import BaseWeights, Classifier, Dataset, FitRecord, Progress
from trainers.params import Params, read_params
from trainers.shared.records import make_manifest
from trainers.trainer import RecipeTrainer


class ReadyMadeParams(Params):
    """The model's own labels in the order of the task's classes, where their names are not the same."""

    labels: tuple[str, ...] | None = None
    max_length: int = 512


class ReadyMadeTrainer(RecipeTrainer):
    """Trains nothing; the head must have one output for each class of the task."""

    params_type = ReadyMadeParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Write the model as a classifier folder; raises UsageError when it knows other classes."""
        params, base = read_params(self.recipe, ReadyMadeParams), self.require_base()
        order = label_order(base, params.labels or data.class_names, named=params.labels is not None)
        if order == sorted(order):
            link_model(base.path, out)
        else:
            _save_in_order(base, order, out)
        settings: dict[str, Any] = {"before": base.prefix} if base.prefix else {}
        fit = FitRecord(fit_s=0.0, trainable_parameters=0, saved_bytes=0, notes=("ready-made; nothing was trained",))
        manifest = make_manifest(
            "sequence", data, self.recipe, seed, fit, min(params.max_length, base.max_length), settings, base
        )
        return save_classifier(out, manifest)


def _save_in_order(base: BaseWeights, order: list[int], out: Path) -> None:
    """The same model with the outputs of its head in the order of the task's classes."""
    import torch
    from transformers import AutoModelForSequenceClassification

    model = load_pretrained(AutoModelForSequenceClassification, base.path)
    head = find_head(model)
    with torch.no_grad():
        for weight in head.parameters():
            weight.copy_(weight[order].clone())
    model.config.id2label = {at: model.config.id2label[old] for at, old in enumerate(order)}
    model.config.label2id = {name: at for at, name in model.config.id2label.items()}
    model.save_pretrained(out)
    link_model(base.path, out, ("tokenizer.json",))


def label_order(base: BaseWeights, wanted: tuple[str, ...], named: bool) -> list[int]:
    """The model's output for each wanted label.

    A model whose labels have no names (LABEL_0 ...) is taken in its own order. Raises UsageError for another label set.
    """
    config = json.loads((base.path / "config.json").read_text(encoding="utf-8"))
    labels = {int(at): str(name) for at, name in config.get("id2label", {}).items()}
    theirs = [labels[at] for at in sorted(labels)] or [f"LABEL_{at}" for at in range(config.get("num_labels", 2))]
    if len(theirs) != len(wanted):
        raise UsageError(
            f"{base.name} knows {len(theirs)} classes ({', '.join(theirs)}), the task has {len(wanted)} "
            f"({', '.join(wanted)}); it was trained for something else"
        )
    found = {name.casefold(): at for at, name in enumerate(theirs)}
    if all(name.casefold() in found for name in wanted):
        return [found[name.casefold()] for name in wanted]
    if not named and all(name.upper().startswith("LABEL_") for name in theirs):
        return list(range(len(theirs)))
    raise UsageError(
        f"{base.name}'s labels are {', '.join(theirs)}, not {', '.join(wanted)}; "
        "name them in the order of the task's classes with the parameter labels"
    )
