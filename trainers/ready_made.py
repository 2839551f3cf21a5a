"""Takes a classifier that somebody else has trained, as it is, and matches its labels with the task's classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.classifiers.folder import save_classifier
from bench.classifiers.pretrained import link_model, load_finished
from bench.classifiers.sequence import find_head
from bench.errors import NotAvailable
from bench.types import BaseWeights, Classifier, Dataset, FitRecord, Progress
from trainers.params import Params, read_params
from trainers.shared.records import make_manifest
from trainers.trainer import RecipeTrainer


class ReadyMadeParams(Params):
    """The model's own labels in the order of the task's classes, where their names are not the same."""

    labels: tuple[str, ...] | None = None
    max_length: int = 512


class ReadyMadeTrainer(RecipeTrainer):
    """Trains nothing; the head must have one output for each class of the task, and weights of its own."""

    params_type = ReadyMadeParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Write the model as a classifier folder.

        Raises AssetError for a model without a trained head, NotAvailable when it knows other classes.
        """
        from transformers import AutoModelForSequenceClassification

        params, base = read_params(self.recipe, ReadyMadeParams), self.require_base()
        model, unused = load_finished(AutoModelForSequenceClassification, base.path, base.name)
        order, assumed = label_order(model.config, base.name, params.labels, data.class_names)
        if order == sorted(order):
            link_model(base.path, out)
        else:
            _save_in_order(model, base, order, out)
        settings: dict[str, Any] = {"before": base.prefix} if base.prefix else {}
        notes = ("ready-made; nothing was trained", *assumed, *_notes(model.config, unused))
        fit = FitRecord(fit_s=0.0, trainable_parameters=0, saved_bytes=0, notes=notes)
        manifest = make_manifest(
            "sequence", data, self.recipe, seed, fit, min(params.max_length, base.max_length), settings, base
        )
        return save_classifier(out, manifest)


def _notes(config: Any, unused: tuple[str, ...]) -> tuple[str, ...]:
    multi = config.problem_type == "multi_label_classification"
    return (
        *(("trained to give several labels; its most likely one is taken",) if multi else ()),
        *((f"weights of another head are not used: {', '.join(unused[:3])}",) if unused else ()),
    )


def _save_in_order(model: Any, base: BaseWeights, order: list[int], out: Path) -> None:
    """The same model with the outputs of its head in the order of the task's classes."""
    import torch

    with torch.no_grad():
        for weight in find_head(model).parameters():
            weight.copy_(weight[order].clone())
    model.save_pretrained(out)
    link_model(base.path, out, ("tokenizer.json",))


def label_order(
    config: Any, name: str, named: tuple[str, ...] | None, class_names: tuple[str, ...]
) -> tuple[list[int], tuple[str, ...]]:
    """The model's output for each class of the task, and what was assumed for it.

    Labels are the same when their names are, else when they are but for capitals. A model whose labels have no names
    (LABEL_0 ...) is taken in its own order, and that is said. Raises NotAvailable for another label set, and where
    id2label and label2id say different things and the parameter labels does not decide.
    """
    theirs = [str(config.id2label[at]) for at in sorted(config.id2label)]
    wanted = named or class_names
    if len(theirs) != len(class_names) or len(wanted) != len(class_names):
        raise NotAvailable(
            f"{name} knows {len(theirs)} classes ({', '.join(theirs)}), the task has {len(class_names)} "
            f"({', '.join(class_names)}); it was trained for something else"
        )
    _check_agreement(config, name, theirs, named)
    for same in (str, str.casefold):
        places = {same(label): at for at, label in enumerate(theirs)}
        order = [places[same(label)] for label in wanted if same(label) in places]
        if len(set(order)) == len(places) == len(wanted):
            return order, ()
    if named is None and all(label.upper() == f"LABEL_{at}" for at, label in enumerate(theirs)):
        order_is = ", ".join(f"{label} = {own}" for label, own in zip(theirs, class_names, strict=True))
        return list(range(len(theirs))), (f"its labels have no names; assumed {order_is} (parameter labels says else)",)
    raise NotAvailable(
        f"{name}'s labels are {', '.join(theirs)}, not {', '.join(wanted)}; "
        "name them in the order of the task's classes with the parameter labels"
    )


def _check_agreement(config: Any, name: str, theirs: list[str], named: tuple[str, ...] | None) -> None:
    """label2id must say what id2label does; one that transformers filled in by itself (LABEL_0 ...) says nothing."""
    other = {str(label): at for label, at in (config.label2id or {}).items()}
    by_itself = all(label.upper().startswith("LABEL_") for label in other)
    if named is None and not by_itself and any(other.get(label, at) != at for at, label in enumerate(theirs)):
        raise NotAvailable(
            f"{name}/config.json: id2label says {', '.join(theirs)}, label2id another order; repair it, or name the "
            "labels in the order of the task's classes with the parameter labels"
        )
