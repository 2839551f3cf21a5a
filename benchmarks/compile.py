"""torch.compile on a CPU: weights frozen or not, fp32 and bf16, against the eager and packed engines, in one run.

    BENCH_DATA=DIR python benchmarks/compile.py [--out benchmarks/compile.md]

MiniLM with four labels on AG News test texts, fine-tuned first (or --classifier). Each variant lives in a process of
its own; they are measured in turns, in a new order each round, as benchmarks/engines.py does.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from engine_workers import Worker, can_run, train_minilm

from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.machine.environment import cpu_card, package_versions
from bench.machine.threads import set_threads

# what the table calls it, the engine, and the options that are not the engine's own
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "eager": ("eager", {}),
    "compile, weights not frozen": ("compile", {"freezing": False}),
    "compile, frozen": ("compile", {"freezing": True}),
    "packed": ("packed", {}),
    "eager-bf16": ("eager-bf16", {}),
    "compile-bf16, weights not frozen": ("compile-bf16", {"freezing": False}),
    "compile-bf16, frozen": ("compile-bf16", {"freezing": True}),
    "packed-bf16": ("packed-bf16", {}),
}
BASE = "eager"
WARM_UP_SINGLES = 20


def main() -> None:
    arguments = _parser().parse_args()
    set_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        data = prepare_dataset(load_suite("agnews"), arguments.data, Limits(train=arguments.train), None)
        folder = arguments.classifier or train_minilm(data, Path(scratch) / "minilm", arguments.threads)
        texts = list(data.test.texts)
        random.Random(0).shuffle(texts)
        workers = {
            title: Worker(engine, folder, arguments.threads, options)
            for title, (engine, options) in VARIANTS.items()
            if can_run(engine)
        }
        figures: dict[str, Any] = {
            title: {"ready": worker.ask("ready"), "offline": [], "single": []} for title, worker in workers.items()
        }
        measure(workers, figures, texts, arguments)
        answers(workers, figures, texts[: arguments.items])
        for worker in workers.values():
            worker.stop()
    report = render(figures, texts, data.source.note or data.source.kind, arguments)
    arguments.out.write_text(report, encoding="utf-8")
    print(report)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=None, help="folder with agnews/test.parquet; default BENCH_DATA")
    parser.add_argument("--classifier", type=Path, default=None, help="a sequence classifier instead of training")
    parser.add_argument("--train", type=int, default=3000, help="texts MiniLM is fine-tuned on")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--offline", type=int, default=800, help="texts of an offline turn")
    parser.add_argument("--single", type=int, default=150, help="queries of a single turn")
    parser.add_argument("--items", type=int, default=None, help="texts whose labels are compared; default all")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    return parser


def measure(workers: dict[str, Worker], figures: dict[str, Any], texts: list[str], arguments: Any) -> None:
    """Rates of every variant in turns; the warm-up is on texts that are not measured, and counts compilations."""
    for worker in workers.values():
        worker.ask("offline", texts[-arguments.offline :])
        worker.ask("single", texts[-WARM_UP_SINGLES:])
    for title, worker in workers.items():
        figures[title]["warm"] = worker.ask("predictions", texts[-1:])[2]
    for turn in range(arguments.rounds):
        order = list(workers)
        random.Random(turn).shuffle(order)
        for title in order:
            for kind in ("offline", "single"):
                count = getattr(arguments, kind)
                figures[title][kind].append(count / workers[title].ask(kind, texts[:count]))
            print(turn, title, *(f"{kind} {figures[title][kind][-1]:.0f}/s" for kind in ("offline", "single")))


def answers(workers: dict[str, Worker], figures: dict[str, Any], texts: list[str]) -> None:
    """Labels over all lengths of the test texts, and what was compiled since the warm-up."""
    reference, probabilities, _ = workers[BASE].ask("predictions", texts)
    for title, worker in workers.items():
        labels, others, compiled = worker.ask("predictions", texts)
        figures[title]["equal"] = float((labels == reference).mean())
        figures[title]["difference"] = float(np.abs(others - probabilities).max())
        warm = figures[title]["warm"]
        figures[title]["recompiles"] = None if warm is None else compiled - warm


def render(figures: dict[str, Any], texts: list[str], note: str, arguments: Any) -> str:
    versions = package_versions()
    lines = [
        "# torch.compile on a CPU",
        "",
        f"MiniLM (6 layers, 384), four labels, AG News test texts ({note}). Made by `BENCH_DATA=DIR python "
        "benchmarks/compile.py`.",
        "",
        f"{cpu_card()['model']}, {arguments.threads} threads, Python {platform.python_version()}, torch "
        f"{versions['torch']}, transformers {versions['transformers']}; {arguments.rounds} rounds in turns, median "
        f"(range); offline: {arguments.offline} texts at once, sorted by length; single: {arguments.single} texts one "
        f"by one. Labels compared with eager on {len(texts[: arguments.items]):,} texts; recompiles: after the "
        "warm-up, over all of these texts and rounds.",
        "",
        f"| engine | offline, texts/s | x {BASE} | single, texts/s | x {BASE} | equal labels | largest probability "
        "difference | compile, s | recompiles |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(_row(title, figure, figures[BASE]) for title, figure in figures.items()),
    ]
    return "\n".join(lines) + "\n"


def _row(title: str, figure: dict[str, Any], base: dict[str, Any]) -> str:
    cells = [title]
    for kind in ("offline", "single"):
        rates, median = figure[kind], statistics.median(figure[kind])
        cells += [f"{median:.0f} ({min(rates):.0f}-{max(rates):.0f})", f"{median / statistics.median(base[kind]):.2f}"]
    cells += [f"{figure['equal']:.2%}", f"{figure['difference']:.1e}", f"{figure['ready']['convert_s']:.1f}"]
    cells.append("-" if figure["recompiles"] is None else str(figure["recompiles"]))
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
