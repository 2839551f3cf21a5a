"""What the dynamic batcher of the `server` scenario costs: its rate at saturation against the same engine offline.

    BENCH_DATA=DIR python benchmarks/batcher.py [--classifier DIR] [--engines onnx-int8 packed] [--out FILE]

MiniLM on AG News test texts. All requests are put into the queue at once by another thread, so that the engine never
waits: what is lost is the queue's own work, and the padding of batches made from what waits instead of from all texts
sorted by length. "within 100 ms" keeps batches as small as that latency limit wants them; "saturated" gives the engine
its own batch budget. Offline is one call of the session with all texts.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from engine_workers import train_minilm

from bench import registry
from bench.classifiers.folder import load_classifier
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.files.cache import cache_dir
from bench.machine.environment import cpu_card
from bench.machine.threads import set_threads
from bench.plan.engines import load_engines
from bench.speed.batcher import BatchBudget, Batcher, GiveUp
from bench.speed.capacity import batch_budget, expected_tokens, find_capacity
from bench.types import Session, Workplace

OFFLINE = "offline"
LIMITS_MS = {"batcher, saturated": math.inf, "batcher, batches for 100 ms": 100.0}
MOST_LOST = 0.10
HIGH_LIMIT_MS = 1e6
Rates = dict[str, list[float]]


def measure(session: Session, texts: Sequence[str], rounds: int) -> Rates:
    """Texts/s of each way, by turns; the capacity is found first, which also warms up."""
    capacity = find_capacity(session, texts)
    tokens = expected_tokens(capacity, texts)
    budgets = {way: batch_budget(session, capacity, min(limit, HIGH_LIMIT_MS)) for way, limit in LIMITS_MS.items()}
    rates: Rates = {}
    for turn in range(rounds):
        for way in random.Random(turn).sample([OFFLINE, *budgets], 1 + len(budgets)):
            started = time.perf_counter()
            if way == OFFLINE:
                session.predict(texts)
            else:
                serve(session, texts, tokens.tolist(), budgets[way])
            rates.setdefault(way, []).append(len(texts) / (time.perf_counter() - started))
    return rates


def serve(session: Session, texts: Sequence[str], tokens: Sequence[int], budget: BatchBudget) -> None:
    """Every text through the batcher, as if all came at once."""
    answered: list[int] = []
    batcher = Batcher(session, budget, answered.extend, GiveUp(math.inf))

    def put_all() -> None:
        for number, text in enumerate(texts):
            batcher.put(number, text, tokens[number])
        batcher.close()

    thread = threading.Thread(target=put_all)
    thread.start()
    batcher.serve()
    thread.join()
    if batcher.error is not None:
        raise batcher.error
    if sorted(answered) != list(range(len(texts))):
        raise SystemExit("the batcher lost a request")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classifier", type=Path, help="a sequence classifier's folder instead of training")
    parser.add_argument("--engines", nargs="+", default=["eager", "packed", "packed-bf16", "onnx", "onnx-int8"])
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    chosen = parser.parse_args()
    set_threads(chosen.threads)
    data = prepare_dataset(load_suite("agnews"), None, Limits(train=3000, test=chosen.texts), None)
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.classifier or train_minilm(data, Path(scratch) / "minilm", chosen.threads)
        figures = {}
        for engine in chosen.engines:
            spec = load_engines()[engine]
            backend = registry.find("backend", spec.backend)(spec, Workplace("cpu", chosen.threads, cache_dir()))
            session = backend.load(load_classifier(folder))
            figures[engine] = measure(session, data.test.texts, chosen.rounds)
            session.close()
            sys.stderr.write(f"{engine} measured\n")
    page = render(figures, chosen)
    chosen.out.write_text(page, encoding="utf-8")
    sys.stdout.write(page)


def render(figures: dict[str, Rates], chosen: argparse.Namespace) -> str:
    """Median rates, and what is lost against offline in the same round."""
    lines = [
        "# What the dynamic batcher costs",
        "",
        f"MiniLM (6 layers, 384), {chosen.texts} AG News test texts; {cpu_card()['model']}, {chosen.threads} threads; "
        f"{chosen.rounds} rounds by turns. Made by `benchmarks/batcher.py`, which says what is timed.",
        "",
        "| engine | how | texts/s, median | lost against offline, median | range |",
        "|---|---|--:|--:|--:|",
    ]
    saturated = next(iter(LIMITS_MS))
    over = []
    for engine, rates in figures.items():
        for way in (OFFLINE, *LIMITS_MS):
            lost = [1 - own / offline for own, offline in zip(rates[way], rates[OFFLINE], strict=True)]
            span = " | " if way == OFFLINE else f"{statistics.median(lost):.1%} | {min(lost):.1%} to {max(lost):.1%}"
            lines.append(f"| {engine} | {way} | {statistics.median(rates[way]):.0f} | {span} |")
            if way == saturated and statistics.median(lost) >= MOST_LOST:
                over.append(engine)
    verdict = f"not reached by {', '.join(over)}" if over else "reached by all"
    lines += ["", f"Target: less than {MOST_LOST:.0%} lost at saturation; {verdict}.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
