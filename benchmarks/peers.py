"""Each engine of the harness against the same engine in a plain script and in optimum-benchmark, on AG News test texts.

    BENCH_DATA=DIR python benchmarks/peers.py [--optimum-python PYTHON] [--engines eager onnx ...] [--out FILE]

MiniLM with four labels, fine-tuned first (or --classifier DIR). Same threads, precision and texts. Harness and script
go from raw texts to labels, each in a process of its own, by turns; a script is timed with batches of 32 as the texts
come, and sorted by length in batches of 32 and of 16. optimum-benchmark (an environment of its own: 0.6.0 wants
transformers 4 and optimum 1) has no texts: it asks for the same batch of random token ids again, as long as the texts
are on average, so nothing is tokenised and nothing padded. It is compared with the harness on texts that all have as
many tokens: whole, and the forward passes alone, which is what it times.

A run over all engines takes half an hour. `--add` keeps the engines that an earlier run with the same settings left in
the JSON file beside the table, so that one can be measured after the other.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from engine_workers import can_run, train_minilm
from peers_scripts import SCRIPTS, load_script

from bench import registry
from bench.classifiers.folder import load_classifier
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.files.cache import cache_dir
from bench.machine.environment import cpu_card
from bench.machine.threads import set_threads
from bench.plan.engines import load_engines
from bench.text.tokens import load_tokenizer
from bench.types import Session, Workplace

HARNESS, EVEN, OPTIMUM = "harness", "harness, texts of one length", "optimum-benchmark"
FORWARD = "the same, forward passes alone"
OURS = (HARNESS, EVEN, FORWARD)
FORWARD_RATIO = "optimum-benchmark against the forward passes alone"
BATCHES = {"script, 32 as they come": (32, False), "script, 32 sorted": (32, True), "script, 16 sorted": (16, True)}
OFFLINE, SINGLE = "offline", "single"
OPTIMUM_BATCH = 32
WARMUP_RUNS = 5  # of every turn, as in optimum-benchmark: caches were the other process's
SETTINGS = ("texts", "single", "rounds", "threads")
Rates = dict[tuple[str, str], list[float]]  # by way and scenario, one a round


class Worker:
    """The parent's end of a process that holds the harness's engine or the script's."""

    def __init__(self, way: str, engine: str, folder: Path, threads: int) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, way, engine, folder, threads), daemon=True)
        self._process.start()

    def seconds(self, batches: Sequence[Sequence[str]]) -> tuple[float, float]:
        """For these batches, one after the other, and for the harness's forward passes in them."""
        self._connection.send(batches)
        whole_s, forward_s = self._connection.recv()
        return whole_s, forward_s

    def stop(self) -> None:
        self._connection.send(None)
        self._process.join()


def serve(connection: Connection, way: str, engine: str, folder: Path, threads: int) -> None:
    """Time what the parent sends until it sends nothing more."""
    set_threads(threads)
    session = load_harness(engine, folder, threads) if way == HARNESS else None
    answer: Callable[[Sequence[str]], Any] = session.predict if session else load_script(engine, folder, threads)
    while (batches := connection.recv()) is not None:
        for batch in batches[:WARMUP_RUNS]:
            answer(batch)
        forward_s = session.clock.forward_s if session else 0.0
        started = time.perf_counter()
        for batch in batches:
            answer(batch)
        whole_s = time.perf_counter() - started
        connection.send((whole_s, session.clock.forward_s - forward_s if session else 0.0))


def load_harness(engine: str, folder: Path, threads: int) -> Session:
    spec = load_engines()[engine]
    session: Session = registry.find("backend", spec.backend)(spec, Workplace("cpu", threads, cache_dir())).load(
        load_classifier(folder)
    )
    return session


def measure(engine: str, folder: Path, texts: Texts, chosen: argparse.Namespace) -> Rates:
    """Every way's rates in texts/s; the first round warms up and is not kept."""
    workers = {way: Worker(way, engine, folder, chosen.threads) for way in (HARNESS, "script")}
    turns = turns_of(engine, texts, chosen.single)
    rates: Rates = {(way, scenario): [] for way, scenario, _ in turns}
    optimum = chosen.optimum_python
    for turn in range(chosen.rounds + 1):
        for way, scenario, batches in random.Random(turn).sample(turns, len(turns)):
            whole_s, forward_s = workers[HARNESS if way in OURS else "script"].seconds(batches)
            if turn:
                rates[way, scenario].append(sum(map(len, batches)) / whole_s)
            if turn and way == EVEN:
                rates.setdefault((FORWARD, scenario), []).append(sum(map(len, batches)) / forward_s)
        for scenario, batch in ((OFFLINE, OPTIMUM_BATCH), (SINGLE, 1)) if turn and optimum else ():
            answer = ask_optimum(optimum, engine, folder, chosen.threads, batch, texts.tokens)
            if "rate_rps" not in answer:
                sys.stderr.write(f"{engine} in optimum-benchmark: {answer['reason']}\n")
                optimum = None
                break
            rates.setdefault((OPTIMUM, scenario), []).append(answer["rate_rps"])
        sys.stderr.write(f"{engine}: {turn} of {chosen.rounds} rounds\n")
    for worker in workers.values():
        worker.stop()
    return rates


@dataclass(frozen=True)
class Texts:
    """What is classified: AG News texts as they come, their mean length, and others that have just that many tokens."""

    mixed: list[str]
    tokens: int
    even: list[str]


def turns_of(engine: str, texts: Texts, single: int) -> list[tuple[str, str, list[list[str]]]]:
    """Way, scenario and batches of each turn of a round; vLLM batches for itself and is given everything."""
    one_by_one = [[text] for text in texts.mixed[:single]]
    turns = [(HARNESS, OFFLINE, [texts.mixed]), (HARNESS, SINGLE, one_by_one)]
    turns += [(EVEN, OFFLINE, [texts.even]), (EVEN, SINGLE, [[text] for text in texts.even[:single]])]
    turns.append(("script, 1", SINGLE, one_by_one))
    if engine == "vllm":
        return [*turns, ("script, all at once", OFFLINE, [texts.mixed])]
    for way, (size, by_length) in BATCHES.items():
        rows = sorted(texts.mixed, key=len) if by_length else texts.mixed
        turns.append((way, OFFLINE, [rows[start : start + size] for start in range(0, len(rows), size)]))
    return turns


def ask_optimum(python: str, engine: str, folder: Path, threads: int, batch: int, tokens: int) -> dict[str, Any]:
    """What benchmarks/peers_optimum.py answers in a fresh process."""
    asked = {"engine": engine, "model": str(folder.resolve()), "threads": threads, "batch": batch, "tokens": tokens}
    script = Path(__file__).with_name("peers_optimum.py")
    done = subprocess.run([python, str(script), json.dumps(asked)], capture_output=True, text=True, check=False)
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]  # a quantiser prints beside it
    if done.returncode or not answers:
        return {"reason": (done.stderr.strip() or "it said nothing").splitlines()[-1]}
    answer: dict[str, Any] = json.loads(answers[-1])
    return answer


def main() -> None:
    chosen = parser().parse_args()
    set_threads(chosen.threads)
    with tempfile.TemporaryDirectory() as scratch:
        data = prepare_dataset(load_suite("agnews"), None, Limits(train=3000), None)
        folder = chosen.classifier or train_minilm(data, Path(scratch) / "minilm", chosen.threads)
        texts = choose_texts(data.test.texts, folder, chosen.texts)
        settings = {name: getattr(chosen, name) for name in SETTINGS} | {"tokens": texts.tokens}
        figures = read_figures(chosen.out.with_suffix(".json"), settings) if chosen.add else {}
        for engine in chosen.engines:
            if can_run(engine):
                figures[engine] = measure(engine, folder, texts, chosen)
    write_figures(chosen.out.with_suffix(".json"), settings, figures)
    page = render(figures, texts.tokens, chosen)
    chosen.out.write_text(page, encoding="utf-8")
    sys.stdout.write(page)


def choose_texts(texts: Sequence[str], folder: Path, count: int) -> Texts:
    lengths = load_tokenizer(load_classifier(folder)).encode(texts).lengths
    order = random.Random(0).sample(range(len(texts)), len(texts))
    tokens = round(float(lengths[order[:count]].mean()))
    even = [texts[row] for row in order if lengths[row] == tokens]
    return Texts([texts[row] for row in order[:count]], tokens, even[:count])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--classifier", type=Path, help="a BERT-like sequence classifier's folder instead of training")
    made.add_argument("--engines", nargs="+", choices=SCRIPTS, default=list(SCRIPTS))
    made.add_argument("--optimum-python", help="the Python of an environment with optimum-benchmark")
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--texts", type=int, default=400, help="of an offline turn")
    made.add_argument("--single", type=int, default=200, help="requests of a turn one by one")
    made.add_argument("--rounds", type=int, default=4)
    made.add_argument("--add", action="store_true", help="keep the engines measured before")
    made.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    return made


# ---------------------------------------------------------------- figures and table


def write_figures(path: Path, settings: dict[str, int], figures: dict[str, Rates]) -> None:
    rows = [[engine, *key, values] for engine, rates in figures.items() for key, values in rates.items()]
    path.write_text(json.dumps({"settings": settings, "rates_rps": rows}), encoding="utf-8")


def read_figures(path: Path, settings: dict[str, int]) -> dict[str, Rates]:
    """What was measured before; raises SystemExit where it was measured otherwise."""
    if not path.exists():
        return {}
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored["settings"] != settings:
        raise SystemExit(f"{path} was measured with {stored['settings']}, not {settings}: leave --add out")
    figures: dict[str, Rates] = {}
    for engine, way, scenario, values in stored["rates_rps"]:
        figures.setdefault(engine, {})[way, scenario] = values
    return figures


def render(figures: dict[str, Rates], tokens: int, chosen: argparse.Namespace) -> str:
    """One row a way: its rates, and how many times its rate the harness's is, round by round."""
    lines = [
        "# Engines of the harness against plain scripts and optimum-benchmark",
        "",
        f"MiniLM (6 layers, 384), 4 labels, {chosen.texts} AG News test texts of {tokens} tokens on average, "
        f"{chosen.single} of them one by one; {cpu_card()['model']}, {chosen.threads} threads; {chosen.rounds} rounds "
        "by turns, median (range); ratios are of the same round. Made by `benchmarks/peers.py`, which says what is "
        "timed.",
        "",
        "| engine | driven by | offline, texts/s | harness is faster by | one by one, texts/s | harness is faster by |",
        "|---|---|--:|--:|--:|--:|",
    ]
    behind = []
    for engine, rates in figures.items():
        for way in dict.fromkeys(way for way, _ in rates):
            cells = [cell for scenario in (OFFLINE, SINGLE) for cell in compared(rates, way, scenario)]
            lines.append(f"| {engine} | {way} | {' | '.join(cells)} |")
        if any(way == OPTIMUM for way, _ in rates):
            offline, single = (forward_ratio(rates, scenario) for scenario in (OFFLINE, SINGLE))
            lines.append(f"| {engine} | {FORWARD_RATIO} | | {offline} | | {single} |")
        behind += [f"{engine} {scenario} ({way})" for way, scenario in rates if is_faster(rates, way, scenario)]
    lines += ["", f"Faster than the harness in the median of the rounds: {', '.join(behind) or 'none'}.", ""]
    return "\n".join(lines)


def compared(rates: Rates, way: str, scenario: str) -> tuple[str, str]:
    own = rates.get((way, scenario))
    if own is None:
        return "", ""
    return span(own, ".0f"), "" if way in OURS else span(ratios(rates, way, scenario), ".2f")


def is_faster(rates: Rates, way: str, scenario: str) -> bool:
    return way not in OURS and statistics.median(ratios(rates, way, scenario)) < 1


def ratios(rates: Rates, way: str, scenario: str, ours: str | None = None) -> list[float]:
    """The harness's rate over this one's, round by round."""
    own = rates[ours or (EVEN if way == OPTIMUM else HARNESS), scenario]
    return [a / b for a, b in zip(own, rates[way, scenario], strict=True)]


def forward_ratio(rates: Rates, scenario: str) -> str:
    return span(ratios(rates, OPTIMUM, scenario, FORWARD), ".2f") if (OPTIMUM, scenario) in rates else ""


def span(values: Sequence[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    main()
