"""What `bench run --autotune` gains: each engine with the settings it found against its own, by turns.

    BENCH_DATA=DIR python benchmarks/autotune.py [--engines eager,onnx-int8,...] [--out benchmarks/autotune.md]

MiniLM is fine-tuned (or taken from the cache) and tuned by the command itself, with an empty folder for what it finds.
What it found on training texts is measured on test texts, all at once, by a process with those settings and another
with the engine's own: a search that took noise for a gain shows here.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from engine_workers import Worker

from bench.classifiers.folder import load_classifier
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.files.cache import cache_dir
from bench.machine.environment import cpu_card
from bench.machine.threads import usable_cores
from bench.results.autotuned import THREADS, Tuning
from bench.results.records import Result
from bench.results.store import open_run
from bench.types import Dataset

ENGINES = "eager,packed-bf16,onnx,onnx-int8,openvino-bf16,openvino-int8,ctranslate2,pipeline"
COMMAND = ["-c", "from bench.cli.main import main; main()", "run", "--suite", "agnews", "--methods", "full-finetune"]
OWN, TUNED = "own", "tuned"


@dataclass
class Found:
    """One engine's tuning, the number of texts it was found on, and the rates measured afterwards."""

    tuning: Tuning
    texts: int
    rates: dict[str, list[float]] = field(default_factory=lambda: {OWN: [], TUNED: []})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engines", default=ENGINES)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--texts", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    chosen = parser.parse_args()
    data = prepare_dataset(load_suite("agnews"), None, Limits(test=2000), None)
    found: dict[str, Found] = {}
    for engine in chosen.engines.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            result, folder = tuned_row(engine, chosen.threads, Path(scratch))
            if result.tuning is None:
                sys.stderr.write(f"{engine}: {result.reason or 'nothing was tuned'}\n")
                continue
            found[engine] = Found(result.tuning, len(result.tuning.trial.labels))
            compare(engine, folder, data, found[engine], chosen)
        sys.stderr.write(f"{engine} is measured\n")
    page = report(found, chosen)
    chosen.out.write_text(page, encoding="utf-8")
    sys.stdout.write(page)


def tuned_row(engine: str, threads: int, scratch: Path) -> tuple[Result, Path]:
    """The row of a run of its own, and the classifier's folder; nothing an earlier search found is there."""
    cache = scratch / "cache"
    cache.mkdir()
    for entry in cache_dir().iterdir():
        if entry.name != "tuned":
            (cache / entry.name).symlink_to(entry)
    out = scratch / "run"
    arguments = ["--backends", engine, "--scenario", "offline", "--threads", str(threads), "--autotune"]
    environment = os.environ | {"BENCH_CACHE": str(cache)}
    subprocess.run(
        [sys.executable, *COMMAND, *arguments, "--quiet", "--out", str(out)],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    row = next(result for result in open_run(out).results if result.cell.engine == engine)
    [classifier] = (out / "classifiers").iterdir()
    return row, classifier.resolve()


def compare(engine: str, folder: Path, data: Dataset, found: Found, chosen: argparse.Namespace) -> None:
    """Rates of the engine as it is and as it was tuned; the first round warms up and is not kept."""
    classifier = load_classifier(folder).path
    examples = data.train.texts[:512]
    tuned_threads = found.tuning.settings[THREADS]
    workers = {
        OWN: Worker(engine, classifier, chosen.threads, examples=examples),
        TUNED: Worker(engine, classifier, tuned_threads, dict(found.tuning.options), examples),
    }
    texts = data.test.texts[: chosen.texts]
    for turn in range(chosen.rounds + 1):
        for name, worker in workers.items():
            rate_rps = len(texts) / worker.ask("offline", texts)
            if turn:
                found.rates[name].append(rate_rps)
    for worker in workers.values():
        worker.stop()


def report(found: dict[str, Found], chosen: argparse.Namespace) -> str:
    """One row an engine: what was found, what the search said it gains, and what it gains."""
    lines = [
        "# What --autotune gains",
        "",
        f"MiniLM on AG News, {cpu_card()['model']}, {chosen.threads} threads; the search of `bench run --autotune`, "
        f"then {chosen.texts} test texts at once, {chosen.rounds} rounds by turns, medians (range of the ratio). Made "
        "by `BENCH_DATA=DIR python benchmarks/autotune.py`.",
        "",
        "| engine | settings found | tried | gain in the search | own settings, texts/s | found, texts/s | gain |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for engine, one in found.items():
        settings = ", ".join(f"{name} {value}" for name, value in one.tuning.settings.items())
        searched = one.tuning.trial.rate_rps / one.tuning.default_rate_rps
        ratios = [tuned / own for own, tuned in zip(one.rates[OWN], one.rates[TUNED], strict=True)]
        own, tuned = (f"{statistics.median(one.rates[name]):.0f}" for name in (OWN, TUNED))
        span = f"{statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"
        gain = f"{searched:.2f}x on {one.texts} texts"
        lines.append(f"| {engine} | {settings} | {len(one.tuning.tried)} | {gain} | {own} | {tuned} | {span} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
