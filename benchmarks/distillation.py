"""Measure a distilled student beside its teacher and the plain student on AG News, and print the table.

    BENCH_DATA=DIR python benchmarks/distillation.py [--seeds 3] >> benchmarks/distillation.md

Few labels and many texts: the teacher (MiniLM frozen, a head on top) sees so many labels of every class; the plain
student (fastText's bag of words and bigrams) sees the same; the distilled one sees them, too, and the teacher's
probabilities of other training texts, whose labels nobody reads. Intervals are paired, on the test texts.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from few_labels import drawn, logits_of, prepare, quietly

from bench import registry
from bench.quality.ranking import paired_difference
from bench.quality.scores import macro_scores
from bench.results.records import Answers
from bench.types import Classifier, Prediction, Split


def answers(classifier: Classifier, split: Split) -> Answers:
    """Of the fp32 module."""
    logits = logits_of(classifier, split)
    n = len(split)
    probabilities = torch.from_numpy(logits).softmax(dim=1).numpy()
    prediction = Prediction(probabilities, logits.argmax(axis=1), np.ones(n, np.int32), np.zeros(n, bool))
    return Answers(split.ids, split.labels, prediction)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-class", type=int, default=16)
    parser.add_argument("--unlabelled", type=int, default=4000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    data, base, recipes, place = prepare(("frozen-head", "fasttext"), chosen.threads)
    print("| seed | teacher, macro F1 | plain student | distilled student | distilled - plain, 95 % |")
    print("|---|---|---|---|---|")
    for seed in range(chosen.seeds):
        part = drawn(data, chosen.per_class, seed, chosen.test, 200)
        others = np.random.default_rng(seed).permutation(np.flatnonzero(~np.isin(data.train.ids, part.train.ids)))
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "unlabelled.txt"
            texts = (data.train.texts[row] for row in others[: chosen.unlabelled])
            file.write_text("\n".join(" ".join(text.split()) for text in texts), encoding="utf-8")
            taught = {"teacher": f"{scratch}/teacher", "unlabelled_file": str(file)}
            student = recipes["fasttext"]
            made = {
                "teacher": recipes["frozen-head"],
                "plain": student,
                "distilled": student.model_copy(update={"params": student.params | taught}),
            }
            found = {}
            for name, recipe in made.items():
                base_of = base if name == "teacher" else None
                trainer = registry.find("trainer", recipe.method)(recipe, base_of, place)
                (Path(scratch) / name).mkdir()
                found[name] = answers(trainer.fit(part, seed, Path(scratch) / name, quietly), part.test)
        k = len(data.class_names)
        scores = {name: macro_scores(each.labels, each.prediction.labels, k).f1 for name, each in found.items()}
        gain = paired_difference(found["distilled"], found["plain"], k)
        print(
            f"| {seed} | {scores['teacher']:.3f} | {scores['plain']:.3f} | {scores['distilled']:.3f} "
            f"| {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
