"""Measures how well likely label errors are found: planted flips of SST-2, and the likeliest errors of AG News' test.

Flips 5 % of SST-2's training labels, ranks all by confident learning, and says which share of the planted ones stands
in the first 5 %. Names the 20 likeliest errors of AG News' test for a person to judge. Where cleanlab is installed, its
own ranking of the same probabilities stands beside. Writes the text of benchmarks/label_errors.md to standard output.

    BENCH_DATA=DIR OMP_NUM_THREADS=1 python benchmarks/label_errors.py
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from bench.data.assembly import Limits
from bench.data.checks.label_errors import LabelErrors, find_label_errors
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.data.tables import shortened
from bench.types import Dataset

PLANTED = 0.05
SHOWN = 20


def load(name: str) -> Dataset:
    return prepare_dataset(load_suite(name), None, Limits(), None)


def with_flips(labels: np.ndarray, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels with a share PLANTED of them moved to another class, and which ones (bool)."""
    random = np.random.RandomState(seed)
    planted = np.zeros(len(labels), dtype=bool)
    planted[random.permutation(len(labels))[: round(PLANTED * len(labels))]] = True
    flipped = np.where(planted, (labels + random.randint(1, classes, len(labels))) % classes, labels)
    return flipped, planted


def cleanlab_order(labels: np.ndarray, errors: LabelErrors) -> np.ndarray | None:
    try:
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return None
    return np.argsort(get_label_quality_scores(labels, errors.probabilities, method="normalized_margin"), kind="stable")


def planted_flips(seeds: int) -> None:
    data = load("sst2")
    texts = [*data.train.texts, *data.validation.texts]
    labels = np.concatenate([data.train.labels, data.validation.labels])
    first = round(PLANTED * len(labels))
    print(f"## SST-2 with planted flips\n\n{len(texts):,} training texts, {first:,} labels flipped.\n")
    print("| seed | planted in the first 5 % | by cleanlab's ranking | doubtful | of them planted | s |")
    print("|---|---|---|---|---|---|")
    for seed in range(seeds):
        flipped, planted = with_flips(labels, len(data.class_names), seed)
        started = time.perf_counter()
        errors = find_label_errors(texts, flipped, len(data.class_names), data.language)
        taken = time.perf_counter() - started
        assert errors is not None
        theirs = cleanlab_order(flipped, errors)
        beside = "not installed" if theirs is None else f"{planted[theirs[:first]].sum() / planted.sum():.1%}"
        print(
            f"| {seed} | {planted[errors.order[:first]].sum() / planted.sum():.1%} | {beside} "
            f"| {errors.doubtful.sum():,} | {planted[errors.doubtful].mean():.1%} | {taken:.0f} |",
            flush=True,
        )


def likeliest_errors() -> None:
    data = load("agnews")
    started = time.perf_counter()
    order = np.argsort(data.test.ids)
    texts, labels = [data.test.texts[row] for row in order], data.test.labels[order]
    errors = find_label_errors(texts, labels, len(data.class_names), data.language)
    assert errors is not None
    print(f"\n## AG News, test: the {SHOWN} likeliest errors of {len(texts):,} labels\n")
    print(f"{errors.doubtful.sum():,} labels are doubtful; {time.perf_counter() - started:.0f} s.\n")
    print("| row | label | likely | probability | text |\n|---|---|---|---|---|")
    for row in errors.order[:SHOWN]:
        likely = int(errors.probabilities[row].argmax())
        text = shortened(texts[row], 110).replace("|", "\\|")
        print(
            f"| {data.test.ids[order][row] + 1} | {data.class_names[labels[row]]} | {data.class_names[likely]} "
            f"| {errors.probabilities[row, likely]:.2f} | {text} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    planted_flips(chosen.seeds)
    likeliest_errors()


if __name__ == "__main__":
    main()
