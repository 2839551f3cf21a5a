"""Every engine against `transformers.pipeline`: MiniLM with four labels on AG News test texts, all in one run.

    BENCH_DATA=DIR python benchmarks/engines.py [--out benchmarks/engines.md]

Fine-tunes MiniLM first (or takes --classifier). Each engine and the pipeline live in a process of their own; they are
measured in turns, in a new order each round. A turn during which other processes took more than 3 % of the machine is
repeated. The table is written after every round; an engine that fails is named below it, and the others go on.
"""

from __future__ import annotations

import argparse
import platform
import random
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from engine_workers import PIPELINE, Worker, WorkerFailed, can_run, train_minilm

from bench.classifiers.folder import load_classifier
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.machine.environment import cpu_card
from bench.machine.threads import set_threads
from bench.plan.engines import load_engines
from bench.speed.flops import flops_per_text
from bench.types import Dataset

EXAMPLES = 512  # as many training texts as a run hands to an engine


@dataclass
class Measurement:
    """The engines still at work, what they did so far, and why others stopped."""

    workers: dict[str, Worker]
    data: Dataset
    texts: list[str]
    arguments: argparse.Namespace
    gflop_per_text: float
    limits: dict[str, float] = field(default_factory=dict)
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def ask(self, name: str, what: str, *values: Any) -> Any:
        """The engine's answer; None for one that failed, which is asked no more."""
        if name not in self.workers:
            return None
        try:
            return self.workers[name].ask(what, *values)
        except WorkerFailed as failure:
            self.failures[name] = f"{what}: {failure}"
            print(f"{name} failed: {self.failures[name]}", flush=True)
            self.workers.pop(name).stop()
            return None

    def write(self) -> str:
        """Render the table of what was measured so far into the file."""
        report = render(self)
        self.arguments.out.write_text(report, encoding="utf-8")
        return report


def main() -> None:
    arguments = _parser().parse_args()
    set_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        data = prepare_dataset(load_suite("agnews"), arguments.data, Limits(train=3000), None)
        folder = arguments.classifier or train_minilm(data, Path(scratch) / "minilm", arguments.threads)
        texts = list(data.test.texts)
        random.Random(0).shuffle(texts)
        counted = flops_per_text(load_classifier(folder), texts[: arguments.offline])
        assert counted is not None
        names = [PIPELINE, *(name for name in arguments.engines if can_run(name))]
        examples = data.train.texts[:EXAMPLES]
        workers = {name: Worker(name, folder, arguments.threads, examples=examples) for name in names}
        measurement = Measurement(workers, data, texts, arguments, counted[0] / 1e9)
        for name in names:
            ready = measurement.ask(name, "ready")
            if ready is not None:
                measurement.figures[name] = {"ready": ready, "offline": [], "single": []}
        for name in arguments.engines:
            measurement.limits = measurement.limits or measurement.ask(name, "limits") or {}
        measure(measurement)
        answers(measurement)
        for worker in measurement.workers.values():
            worker.stop()
        print(measurement.write())


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


def measure(measurement: Measurement) -> None:
    """All engines by turns, a round in another order each; the first warms up on texts that are not measured."""
    arguments, texts = measurement.arguments, measurement.texts
    for turn in range(-1, arguments.rounds):
        order = list(measurement.workers)
        random.Random(turn).shuffle(order)
        for name in order:
            if turn < 0:
                measurement.ask(name, "offline", texts[-arguments.offline :])
                measurement.ask(name, "single", texts[-20:])
                continue
            for kind, count in (("offline", arguments.offline), ("single", arguments.single)):
                seconds = measurement.ask(name, kind, texts[:count])
                if seconds is not None:
                    measurement.figures[name][kind].append(count / seconds)
                    print(turn, name, f"{kind} {count / seconds:.0f}/s", flush=True)
        if turn >= 0:
            measurement.write()


def answers(measurement: Measurement) -> None:
    """How far every engine's answers are from the eager engine's."""
    texts = measurement.texts[: measurement.arguments.items]
    expected = measurement.ask("eager", "predictions", texts)
    for name in list(measurement.workers):
        found = None if name == PIPELINE else measurement.ask(name, "predictions", texts)
        if found is None or expected is None:
            continue
        labels, probabilities, recompiles = found
        measurement.figures[name] |= {
            "equal": float((labels == expected[0]).mean()),
            "difference": float(np.abs(probabilities - expected[1]).max()),
            "recompiles": recompiles,
        }


def render(measurement: Measurement) -> str:
    arguments, texts, limits = measurement.arguments, measurement.texts, measurement.limits
    measured = {name: figure for name, figure in measurement.figures.items() if figure["offline"] and figure["single"]}
    pipeline = measured.get(PIPELINE, {"offline": [], "single": []})
    base = {kind: statistics.median(pipeline[kind]) for kind in ("offline", "single") if pipeline[kind]}
    fastest = "bf16" if "bf16" in limits else "fp32"
    lines = [
        "# Engines against transformers.pipeline",
        "",
        f"MiniLM (6 layers, 384), {len(measurement.data.class_names)} labels, AG News test texts. "
        f"Made by `{_command(arguments)}`.",
        "",
        f"{cpu_card()['model']}, {arguments.threads} threads, Python {platform.python_version()}; "
        f"{max((len(figure['single']) for figure in measured.values()), default=0)} "
        f"rounds in turns, median (range); offline: {arguments.offline} texts at once (pipeline: batches of 32), "
        f"single: {arguments.single} texts one by one. Labels compared with eager on "
        f"{len(texts[: arguments.items])} texts.",
        "",
        f"| engine | offline, texts/s | x pipeline | of the {fastest} products | single, texts/s | x pipeline | "
        "equal labels | largest probability difference | load (with imports) + convert, s | recompiles |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    most = limits[fastest] / measurement.gflop_per_text if limits else None
    lines += [_row(name, figure, base, most) for name, figure in measured.items()]
    lines += ["", *_notes(measurement)]
    return "\n".join(lines) + "\n"


def _row(name: str, figure: dict[str, Any], base: dict[str, float], most: float | None) -> str:
    cells = [name]
    for kind in ("offline", "single"):
        rates = figure[kind]
        median = statistics.median(rates)
        cells += [f"{median:.0f} ({min(rates):.0f}-{max(rates):.0f})"]
        cells += [f"{median / base[kind]:.2f}" if kind in base else "-"]
        if kind == "offline":
            cells.append(f"{median / most:.0%}" if most else "-")
    if "equal" in figure:
        ready = figure["ready"]
        cells += [f"{figure['equal']:.2%}", f"{figure['difference']:.1e}"]
        cells += [f"{ready['load_s']:.1f} + {ready['convert_s']:.1f}"]
        cells += ["-" if figure["recompiles"] is None else str(figure["recompiles"])]
    else:
        cells += ["-"] * 4
    return f"| {' | '.join(cells)} |"


def _notes(measurement: Measurement) -> list[str]:
    texts, data = measurement.texts, measurement.data
    rates = ", ".join(f"{name} {rate:.0f} GFLOP/s" for name, rate in measurement.limits.items())
    notes = [
        f"- Matrix products on this machine (oneDNN, 2048 x 384 x 1536): {rates or 'not measured'}. "
        f"A text takes {measurement.gflop_per_text:.3f} GFLOP (all layers, all tokens, no padding); engines that "
        "compute the last layer for the first token alone do 0.86 of that."
    ]
    characters = statistics.mean(map(len, texts))
    notes.append(
        f"- Texts: {len(texts)}, {characters:.0f} characters on average; {data.source.note or data.source.kind}."
    )
    notes += [f"- {name} failed: {reason}." for name, reason in measurement.failures.items()]
    return notes


if __name__ == "__main__":
    main()
