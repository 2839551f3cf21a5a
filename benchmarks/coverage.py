"""Simulate how often the printed 95 % intervals hold, and write the table.

    python benchmarks/coverage.py > benchmarks/coverage.md

Populations of 2 to 150 classes, equally frequent or by Zipf's law (the c-th in proportion to 1/c); classifiers of 60,
80 and 95 % accuracy whose recall differs from class to class, with errors over all other classes alike or mostly for
the class next to it; test texts drawn at random or class by class (as the harness cuts). What must lie in the interval
is the macro average of the whole population over all classes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.quality.differences import macro_f1_difference
from bench.quality.intervals import class_mean_bounds, items_needed
from bench.quality.stats import wilson

CLASSES = (2, 4, 20, 150)
SIZES = (30, 100, 300, 1000, 7600)
ACCURACIES = (0.6, 0.8, 0.95)
POPULATIONS, SAMPLES = 6, 25
PRINTED_SHARE = 0.05
FIGURES = ("accuracy", "macro F1", "macro recall", "macro precision", "paired difference of macro F1")


@dataclass(frozen=True)
class Population:
    """Class frequencies float (k,), and the probabilities of each answer to each class, float (k, k)."""

    shares: np.ndarray
    answers: np.ndarray

    def averages(self) -> dict[str, float]:
        joint = self.shares[:, None] * self.answers
        right, texts, given = np.diag(joint), joint.sum(axis=1), joint.sum(axis=0)
        return {
            "accuracy": float(right.sum()),
            "macro F1": float((2 * right / (texts + given)).mean()),
            "macro recall": float((right / texts).mean()),
            "macro precision": float((right / given).mean()),
        }


def population(random: np.random.Generator, k: int, zipf: bool, accuracy: float, neighbours: bool) -> Population:
    shares = 1 / np.arange(1, k + 1) if zipf else np.ones(k)
    recall = random.beta(12 * accuracy, 12 * (1 - accuracy), k)
    errors = np.ones((k, k))
    if neighbours:
        errors[np.arange(k), (np.arange(k) + 1) % k] += k
    np.fill_diagonal(errors, 0)
    answers = (1 - recall)[:, None] * errors / errors.sum(axis=1, keepdims=True)
    np.fill_diagonal(answers, recall)
    return Population(shares / shares.sum(), answers)


def texts_of(random: np.random.Generator, each: Population, n: int, samples: int, stratified: bool) -> np.ndarray:
    """True classes, int (samples, n)."""
    k = len(each.shares)
    if not stratified:
        return random.choice(k, (samples, n), p=each.shares)
    counts = np.floor(each.shares * n).astype(int)
    if n >= k:
        counts = np.maximum(counts, 1)
    while counts.sum() > n:
        counts[counts.argmax()] -= 1
    rest = np.argsort(counts - each.shares * n)[: n - counts.sum()]
    counts[rest] += 1
    return np.broadcast_to(np.repeat(np.arange(k), counts), (samples, n))


def answers_to(random: np.random.Generator, each: Population, truth: np.ndarray) -> np.ndarray:
    k = len(each.shares)
    steps = np.minimum(each.answers.cumsum(axis=1), 1.0) + np.arange(k)[:, None]  # one rising line of all classes
    given = np.searchsorted(steps.ravel(), truth + random.random(truth.shape)) - truth * k
    return np.clip(given, 0, k - 1)


def counts_of(labels: np.ndarray, k: int) -> np.ndarray:
    """How often each class occurs in each sample; int (samples, k); -1 is none."""
    samples = len(labels)
    cells = (labels + np.arange(samples)[:, None] * k)[labels >= 0]
    return np.bincount(cells, minlength=samples * k).reshape(samples, k)


def held(random: np.random.Generator, k: int, n: int, zipf: bool) -> dict[str, list[list[bool]]]:
    """For each figure and kind of population, whether each printed interval held."""
    found: dict[str, list[list[bool]]] = {name: [] for name in FIGURES}
    for accuracy in ACCURACIES:
        for neighbours in (False, True):
            for stratified in (False, True):
                for name, results in one_kind(random, k, n, zipf, accuracy, neighbours, stratified):
                    found[name].append(results)
    return found


def one_kind(
    random: np.random.Generator, k: int, n: int, zipf: bool, accuracy: float, neighbours: bool, stratified: bool
) -> Iterator[tuple[str, list[bool]]]:
    results: dict[str, list[bool]] = {name: [] for name in FIGURES}
    for _ in range(POPULATIONS):
        each = population(random, k, zipf, accuracy, neighbours)
        truth = texts_of(random, each, n, SAMPLES, stratified)
        given = answers_to(random, each, truth)
        judge(each.averages(), truth, given, k, results)
        other = population(random, k, zipf, accuracy - 0.05, neighbours)
        judge_difference(random, each, other, truth, given, results)
    yield from results.items()


def judge(
    expected: dict[str, float], truth: np.ndarray, given: np.ndarray, k: int, results: dict[str, list[bool]]
) -> None:
    texts, answered = counts_of(truth, k), counts_of(given, k)
    right = counts_of(np.where(truth == given, truth, -1), k)
    for name, whole in (("macro F1", (texts + answered) / 2), ("macro recall", texts), ("macro precision", answered)):
        _, low, high = class_mean_bounds(right, whole.astype(float), texts > 0)
        printed = np.array([items_needed(row, name == "macro precision") is None for row in texts])
        results[name] += ((low <= expected[name]) & (expected[name] <= high))[printed].tolist()
    for row in right.sum(axis=1):
        interval = wilson(int(row), truth.shape[1])
        results["accuracy"].append(interval.low <= expected["accuracy"] <= interval.high)


def judge_difference(
    random: np.random.Generator,
    each: Population,
    other: Population,
    truth: np.ndarray,
    given: np.ndarray,
    results: dict[str, list[bool]],
) -> None:
    """The second classifier copies seven of ten answers of the first."""
    k = len(each.shares)
    mixed = Population(each.shares, 0.7 * each.answers + 0.3 * other.answers)
    expected = mixed.averages()["macro F1"] - each.averages()["macro F1"]
    for labels, first in zip(truth, given, strict=True):
        if items_needed(np.bincount(labels, minlength=k)) is not None:
            continue
        second = np.where(random.random(len(labels)) < 0.7, first, answers_to(random, other, labels[None])[0])
        interval = macro_f1_difference(labels, first, second, k)
        results["paired difference of macro F1"].append(interval.low <= expected <= interval.high)


def cell(kinds: list[list[bool]]) -> str:
    """Coverage over all kinds of population; nothing where intervals are rarely printed."""
    whole = [hit for kind in kinds for hit in kind]
    drawn = len(ACCURACIES) * 4 * POPULATIONS * SAMPLES
    return f"{np.mean(whole):.1%}" if len(whole) >= PRINTED_SHARE * drawn else "no interval"


def main() -> None:
    chosen = [int(each) for each in sys.argv[1:]] or list(CLASSES)  # a part of the table, for a second process
    print("# Coverage of the printed 95 % intervals\n")
    print(f"Written by `python benchmarks/coverage.py`.\n\n{(__doc__ or '').split('coverage.md')[1].strip()}\n")
    each = len(ACCURACIES) * 4 * POPULATIONS * SAMPLES
    print(f"{each:,} samples a cell, so that a coverage is known to about a point (95 %).")
    print('"no interval": the row says how many texts one takes.\n')
    print(f"| classes | frequencies | texts | {' | '.join(FIGURES)} |")
    print(f"| ---: | --- | ---: | {' | '.join('---:' for _ in FIGURES)} |")
    for k in chosen:
        for zipf in (False, True):
            for n in SIZES:
                found = held(np.random.default_rng((k, n, zipf)), k, n, zipf)
                cells = " | ".join(cell(found[name]) for name in FIGURES)
                print(f"| {k} | {'Zipf' if zipf else 'equal'} | {n:,} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
