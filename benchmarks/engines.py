"""Every engine against `transformers.pipeline`: MiniLM with four labels on AG News test texts, all in one run.

    BENCH_DATA=DIR python benchmarks/engines.py [--out benchmarks/engines.md]

Fine-tunes MiniLM first (or takes --classifier). Each engine and the pipeline live in a process of their own; they are
measured in turns, in a new order each round. A turn during which other processes took more than 3 % of the machine is
repeated.
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
from engine_workers import PIPELINE, Worker, can_run, train_minilm

from bench.classifiers.folder import load_classifier
from bench.data.datasets import Limits, prepare_dataset
from bench.data.suites import load_suite
from bench.machine.environment import cpu_card
from bench.machine.threads import set_threads
from bench.plan.engines import load_engines
from bench.speed.flops import flops_per_text
from bench.types import Dataset

EXAMPLES = 512  # as many training texts as a run hands to an engine


def main() -> None:
    arguments = _parser().parse_args()
    set_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        data = prepare_dataset(load_suite("agnews"), arguments.data, Limits(train=3000), None)
        folder = arguments.classifier or train_minilm(data, Path(scratch) / "minilm", arguments.threads)
        texts = list(data.test.texts)
        random.Random(0).shuffle(texts)
        names = [PIPELINE, *(name for name in arguments.engines if can_run(name))]
        examples = data.train.texts[:EXAMPLES]
        workers = {name: Worker(name, folder, arguments.threads, examples=examples) for name in names}
        figures = {
            name: {"ready": worker.ask("ready"), "offline": [], "single": []} for name, worker in workers.items()
        }
        measure(workers, figures, texts, arguments)
        answers(workers, figures, texts[: arguments.items])
        limits = workers["packed"].ask("limits")
        counted = flops_per_text(load_classifier(folder), texts[: arguments.offline])
        assert counted is not None
        for worker in workers.values():
            worker.stop()
    report = render(figures, limits, texts, data, arguments, counted[0] / 1e9)
    arguments.out.write_text(report, encoding="utf-8")
    print(report)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="folder with agnews/test.parquet; default BENCH_DATA")
    parser.add_argument(
        "--classifier", type=Path, default=None, help="a sequence classifier folder instead of training"
    )
    parser.add_argument(
        "--engines", nargs="+", default=[n for n, e in load_engines().items() if e.backend != "sklearn"]
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--offline", type=int, default=800, help="texts of an offline turn")
    parser.add_argument("--single", type=int, default=150, help="queries of a single turn")
    parser.add_argument("--items", type=int, default=None, help="texts whose labels are compared; default all")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    return parser


def _command(arguments: argparse.Namespace) -> str:
    """What makes the table again: the arguments that are not the defaults, without paths."""
    given = []
    for name in ("engines", "threads", "rounds", "offline", "single", "items"):
        value = getattr(arguments, name)
        if value != _parser().get_default(name):
            given += [f"--{name}", *map(str, value if isinstance(value, list) else [value])]
    return " ".join(["BENCH_DATA=DIR python benchmarks/engines.py", *given])


# ---------------------------------------------------------------- rounds and table


def measure(workers: dict[str, Worker], figures: dict[str, Any], texts: list[str], arguments: Any) -> None:
    for turn in range(-1, arguments.rounds):
        order = list(workers)
        random.Random(turn).shuffle(order)
        for name in order:
            if turn < 0:  # warm-up, on texts that are not measured
                workers[name].ask("offline", texts[-arguments.offline :])
                workers[name].ask("single", texts[-20:])
                continue
            figures[name]["offline"].append(
                arguments.offline / workers[name].ask("offline", texts[: arguments.offline])
            )
            figures[name]["single"].append(arguments.single / workers[name].ask("single", texts[: arguments.single]))
            print(
                turn, name, *(f"{kind} {figures[name][kind][-1]:.0f}/s" for kind in ("offline", "single")), flush=True
            )


def answers(workers: dict[str, Worker], figures: dict[str, Any], texts: list[str]) -> None:
    reference, probabilities, _ = workers["eager"].ask("predictions", texts)
    for name, worker in workers.items():
        if name == PIPELINE:
            continue
        labels, others, recompiles = worker.ask("predictions", texts)
        figures[name]["equal"] = float((labels == reference).mean())
        figures[name]["difference"] = float(np.abs(others - probabilities).max())
        figures[name]["recompiles"] = recompiles


def render(
    figures: dict[str, Any],
    limits: dict[str, float],
    texts: list[str],
    data: Dataset,
    arguments: Any,
    gflop_per_text: float,
) -> str:
    base = {kind: statistics.median(figures[PIPELINE][kind]) for kind in ("offline", "single")}
    lines = [
        "# Engines against transformers.pipeline",
        "",
        f"MiniLM (6 layers, 384), {len(data.class_names)} labels, AG News test texts. Made by `{_command(arguments)}`.",
        "",
        f"{cpu_card()['model']}, {arguments.threads} threads, Python {platform.python_version()}; {arguments.rounds} "
        f"rounds in turns, median (range); offline: {arguments.offline} texts at once (pipeline: batches of 32), "
        f"single: {arguments.single} texts one by one. Labels compared with eager on "
        f"{len(texts[: arguments.items])} texts.",
        "",
        "| engine | offline, texts/s | x pipeline | of the bf16 products | single, texts/s | x pipeline | "
        "equal labels | largest probability difference | load (with imports) + convert, s | recompiles |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    most = limits["bf16"] / gflop_per_text
    lines += [_row(name, figure, base, most) for name, figure in figures.items()]
    lines += ["", *_notes(limits, data, texts, gflop_per_text)]
    return "\n".join(lines) + "\n"


def _row(name: str, figure: dict[str, Any], base: dict[str, float], most: float) -> str:
    cells = [name]
    for kind in ("offline", "single"):
        rates = figure[kind]
        median = statistics.median(rates)
        cells += [f"{median:.0f} ({min(rates):.0f}-{max(rates):.0f})", f"{median / base[kind]:.2f}"]
        if kind == "offline":
            cells.append(f"{median / most:.0%}")
    if "equal" in figure:
        ready = figure["ready"]
        cells += [f"{figure['equal']:.2%}", f"{figure['difference']:.1e}"]
        cells += [f"{ready['load_s']:.1f} + {ready['convert_s']:.1f}"]
        cells += ["-" if figure["recompiles"] is None else str(figure["recompiles"])]
    else:
        cells += ["-"] * 4
    return f"| {' | '.join(cells)} |"


def _notes(limits: dict[str, float], data: Dataset, texts: list[str], gflop_per_text: float) -> list[str]:
    rates = ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in limits.items())
    notes = [
        f"- Matrix products on this machine (oneDNN, 2048 x 384 x 1536): {rates}. "
        f"A text takes {gflop_per_text:.3f} GFLOP (all layers, all tokens, no padding); engines that compute the last "
        "layer for the first token alone do 0.86 of that."
    ]
    characters = statistics.mean(map(len, texts))
    notes.append(
        f"- Texts: {len(texts)}, {characters:.0f} characters on average; {data.source.note or data.source.kind}."
    )
    return notes


if __name__ == "__main__":
    main()
