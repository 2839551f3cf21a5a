"""Measure how many texts a second of processor time static embeddings and MiniLM answer, by turns, and print the table.

    BENCH_DATA=DIR bench run --suite agnews --methods static,fasttext,frozen-head --backends eager --threads 1 --out DIR
    BENCH_DATA=DIR python benchmarks/static_embeddings.py RUN >> benchmarks/static_embeddings.md

Processor time of one thread, from the raw text to the label, so that what else runs on the machine does not count as
theirs; the first turn warms up. The classifiers are those of a run's folder; engines as they load them.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

from bench import registry
from bench.classifiers.folder import load_classifier
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.errors import NotAvailable
from bench.files.cache import cache_dir
from bench.machine.companions import hide_unfit_companions
from bench.plan.engines import load_engines
from bench.types import Session, Workplace

ENGINES = ("eager", "packed", "packed-bf16", "onnx")
TURNS = 5
TEXTS = {"embedding": 100, "network": 2000}  # of a turn


def sessions(run: Path) -> dict[tuple[str, str], tuple[Session, int]]:
    """Every engine of every classifier that serves it, with the texts of its turn."""
    place, found = Workplace("cpu", 1, cache_dir()), {}
    for folder in sorted(path.parent for path in run.glob("classifiers/*/manifest.json")):
        classifier = load_classifier(folder)
        for name in ENGINES:
            spec = load_engines()[name]
            backend = registry.find("backend", spec.backend)
            if classifier.kind not in backend.kinds or not backend.availability(spec, "cpu").ok:
                continue
            try:
                session = backend(spec, place).load(classifier)
            except NotAvailable:
                continue
            found[classifier.manifest.recipe.id, name] = (session, TEXTS[classifier.kind])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    chosen = parser.parse_args()
    hide_unfit_companions()
    torch.set_num_threads(1)
    texts = prepare_dataset(load_suite("agnews"), None, Limits(), None).test.texts
    opened = sessions(chosen.run)
    rates: dict[tuple[str, str], list[float]] = {key: [] for key in opened}
    for turn in range(TURNS + 1):
        for key, (session, count) in opened.items():
            start = turn * count % (len(texts) - count)
            before = time.process_time()
            session.predict(texts[start : start + count])
            rates[key].append(count / (time.process_time() - before))
    medians = {key: statistics.median(each[1:]) for key, each in rates.items()}
    fastest = max(medians[key] for key in medians if key[0] == "frozen-head")
    print("| classifier | engine | texts a second of processor time, median (range) | times MiniLM's fastest |")
    print("|---|---|---|---|")
    for (recipe, engine), rate in medians.items():
        each = rates[recipe, engine][1:]
        print(f"| {recipe} | {engine} | {rate:,.0f} ({min(each):,.0f} to {max(each):,.0f}) | {rate / fastest:.1f} |")


if __name__ == "__main__":
    main()
