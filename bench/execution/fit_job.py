"""Trains one classifier in a process of its own, and prepares what a training needs."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from bench import registry
from bench.classifiers.folder import mark_trained_beside
from bench.data.cuts import cut_train
from bench.data.prepared import open_dataset
from bench.execution.hardness import hardness_of_train
from bench.files.cache import whole_folder
from bench.machine.threads import set_threads
from bench.models.architectures import prepare_architecture
from bench.models.base import base_weights
from bench.types import (
    BaseWeights,
    Progress,
    Recipe,
    Workplace,
)


def prepare_base(name: str, progress: Progress) -> BaseWeights:
    """Fetch and convert a base model into the cache."""
    return base_weights(name, progress)


def prepare_random(name: str, progress: Progress) -> BaseWeights:
    """Bring an architecture's config and tokenizer into the cache; there are no weights."""
    return prepare_architecture(name, progress)


def check_recipes(recipes: tuple[Recipe, ...], progress: Progress) -> None:
    """Read every recipe's hyperparameters as its trainer will; raises UsageError for a wrong one."""
    for done, recipe in enumerate(recipes):
        progress("checking the recipes", done, len(recipes))
        registry.find("trainer", recipe.method).check(recipe)


@dataclass(frozen=True)
class FitTask:
    """Everything a training process needs; `target` is the classifier folder it makes.

    `scorer` is the language model that finds hard texts, for a recipe that selects by them. beside: whether others
    train on the machine's other cores meanwhile, which the seconds then show.
    """

    data_folder: Path
    recipe: Recipe
    base: BaseWeights | None
    scorer: BaseWeights | None
    seed: int
    target: Path
    place: Workplace
    beside: bool = False


def fit(task: FitTask, progress: Progress) -> None:
    """Train one classifier; its folder appears whole or not at all, and an interrupted training goes on."""
    set_threads(task.place.threads)
    progress("opening the data", 0, 1)
    data = open_dataset(task.data_folder)
    checkpoint = task.place.cache / "checkpoints" / task.target.name
    place = replace(task.place, checkpoint=checkpoint)
    hardness = hardness_of_train(data, task.scorer, place, progress) if task.scorer else None
    data = cut_train(data, task.recipe.cut, hardness)
    progress("loading the method", 0, 1)
    trainer = registry.find("trainer", task.recipe.method)(task.recipe, task.base, place)
    with whole_folder(task.target) as scratch:
        trainer.fit(data, task.seed, scratch, progress)
        if task.beside:
            mark_trained_beside(scratch)
    shutil.rmtree(checkpoint, ignore_errors=True)
