"""Measure SetFit against a frozen head with few labels of AG News, and print the table.

    BENCH_DATA=DIR python benchmarks/few_labels.py [--per-class 8,16] [--seeds 3] >> benchmarks/few_labels.md

A seed draws the training texts (as many of every class), the pairs and their order; both methods read the same texts,
choose the head's strength on the same validation texts and answer the same test texts, by the trainers themselves.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bench import registry
from bench.classifiers.modules import load_module
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.files.cache import cache_dir
from bench.machine.companions import hide_unfit_companions
from bench.models.base import base_weights
from bench.plan.recipes import recipes_for
from bench.quality.scores import macro_scores
from bench.text.splits import stratified_order
from bench.text.tokens import load_tokenizer
from bench.types import BaseWeights, Classifier, Dataset, Recipe, Split, Workplace
from trainers.loop.batches import tokenise
from trainers.loop.evaluate import predict_logits

METHODS = ("frozen-head", "setfit")


def drawn(data: Dataset, per_class: int, seed: int, test: int, validation: int) -> Dataset:
    """So many training texts of every class, drawn by the seed; the same validation and test texts for every seed."""
    order = stratified_order(data.train.labels, seed)
    labels = data.train.labels[order]
    rows = np.concatenate([order[labels == label][:per_class] for label in range(len(data.class_names))])
    first = {"test": (data.test, test), "validation": (data.validation, validation)}
    parts = {name: part.take(stratified_order(part.labels)[:count]) for name, (part, count) in first.items()}
    return replace(data, train=data.train.take(rows), **parts)


def logits_of(classifier: Classifier, split: Split) -> np.ndarray:
    """Of the fp32 module, float32 (n, k)."""
    return predict_logits(load_module(classifier), tokenise(split, load_tokenizer(classifier)), "cpu", bf16=False)


def macro_f1(classifier: Classifier, split: Split) -> float:
    """Of the fp32 module's answers."""
    logits = logits_of(classifier, split)
    return macro_scores(split.labels, logits.argmax(axis=1), logits.shape[1]).f1


def quietly(_what: str, _done: int, _total: int) -> None:
    """Say nothing."""


def prepare(
    recipe_ids: Sequence[str], threads: int
) -> tuple[Dataset, BaseWeights | None, dict[str, Recipe], Workplace]:
    """AG News, MiniLM, these recipes by their id and the place to compute, with so many threads."""
    hide_unfit_companions()
    torch.set_num_threads(threads)
    data = prepare_dataset(load_suite("agnews"), None, Limits(), None)
    recipes = {made.id: made for made in recipes_for("small") if made.id in recipe_ids}
    return data, base_weights("minilm", None), recipes, Workplace("cpu", threads, cache_dir())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-class", default="8,16")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--validation", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    data, base, recipes, place = prepare(METHODS, chosen.threads)
    print("| texts a class | seed | frozen head, macro F1 | SetFit, macro F1 | difference | SetFit fit, s |")
    print("|---|---|---|---|---|---|")
    for per_class in map(int, chosen.per_class.split(",")):
        for seed in range(chosen.seeds):
            part = drawn(data, per_class, seed, chosen.test, chosen.validation)
            scores, taken = {}, 0.0
            for name in METHODS:
                with tempfile.TemporaryDirectory() as out:
                    trainer = registry.find("trainer", recipes[name].method)(recipes[name], base, place)
                    made = trainer.fit(part, seed, Path(out), quietly)
                    scores[name], taken = macro_f1(made, part.test), made.manifest.fit.fit_s
            difference = scores["setfit"] - scores["frozen-head"]
            print(
                f"| {per_class} | {seed} | {scores['frozen-head']:.3f} | {scores['setfit']:.3f} | {difference:+.3f} "
                f"| {taken:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
