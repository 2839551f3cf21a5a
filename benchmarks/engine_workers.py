"""Processes that hold one engine each, the pipeline among them, and time it while nothing else computes."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from bench import registry
from bench.classifiers.folder import load_classifier
from bench.files.cache import cache_dir
from bench.machine.companions import hide_unfit_companions
from bench.machine.precision import has_fast_bf16
from bench.machine.threads import set_threads
from bench.models.base import base_weights, model_for
from bench.plan.engines import load_engines
from bench.plan.recipes import recipes_for
from bench.types import Classifier, Dataset, Workplace

hide_unfit_companions()  # vLLM brings some, and every engine here shares this process

PIPELINE = "transformers.pipeline"
FOREIGN_LIMIT = 0.03
MAX_TRIES = 4
WAIT_S = 60


class WorkerFailed(Exception):
    """An engine's process ended, or could not do what it was asked."""


class Worker:
    """The parent's end of an engine's process; `examples` are training texts for engines that need some."""

    def __init__(
        self,
        name: str,
        folder: Path,
        threads: int,
        options: dict[str, Any] | None = None,
        examples: tuple[str, ...] = (),
    ) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, name, folder, threads, options or {}, examples), daemon=True
        )
        self._process.start()
        theirs.close()  # or a process that ends would leave the parent waiting

    def ask(self, what: str, *values: Any) -> Any:
        """What the engine answers; raises WorkerFailed with its reason, also where its process is gone."""
        try:
            self._connection.send((what, values))
            done, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            self._process.join(timeout=10)
            raise WorkerFailed(f"its process ended with code {self._process.exitcode}") from error
        if not done:
            raise WorkerFailed(answer)
        return answer

    def stop(self) -> None:
        with suppress(OSError):
            self._connection.send(None)
        self._process.join()


def serve(
    connection: Connection,
    name: str,
    folder: Path,
    threads: int,
    options: dict[str, Any],
    examples: tuple[str, ...],
) -> None:
    """Answer the parent's questions until there are no more; a failure is an answer, too."""
    set_threads(threads)
    engine: Any = None
    while (question := connection.recv()) is not None:
        what, values = question
        try:
            if engine is None:
                classifier = replace(load_classifier(folder), examples=examples)
                engine = (
                    PipelineEngine(classifier)
                    if name == PIPELINE
                    else HarnessEngine(name, classifier, threads, options)
                )
            connection.send((True, getattr(engine, what)(*values)))
        except Exception as error:
            connection.send((False, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"))


def can_run(name: str) -> bool:
    """Whether the engine can run on this CPU; says why not."""
    engine = load_engines()[name]
    available = registry.find("backend", engine.backend).availability(engine, "cpu")
    if not available.ok:
        print(f"{name} cannot run here: {available.reason}")
    return bool(available.ok)


def train_minilm(data: Dataset, folder: Path, threads: int) -> Path:
    """MiniLM fine-tuned on the training texts by the small recipe; returns its folder."""
    recipe = next(recipe for recipe in recipes_for("small") if recipe.method == "full-finetune")
    base = base_weights(model_for("encoder", "en", "small"), None)
    folder.mkdir(parents=True)
    trainer = registry.find("trainer", recipe.method)(recipe, base, Workplace("cpu", threads, cache_dir()))
    trainer.fit(data, 0, folder, lambda *_: None)
    return folder


class PipelineEngine:
    """What one writes first: the library's pipeline, one text at a time or 32."""

    def __init__(self, classifier: Classifier) -> None:
        from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast, pipeline

        self.max_length = classifier.manifest.max_length
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(classifier.path / "tokenizer.json"))
        tokenizer.pad_token = "[PAD]"  # noqa: S105 - a token of the vocabulary
        model = AutoModelForSequenceClassification.from_pretrained(classifier.path)
        self.pipeline = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")

    def ready(self) -> dict[str, float]:
        self.single(["a first text"])
        return {}

    def single(self, texts: Sequence[str]) -> float:
        def one_by_one() -> None:
            for text in texts:
                self.pipeline(text, truncation=True, max_length=self.max_length)

        return undisturbed_s(one_by_one)

    def offline(self, texts: Sequence[str]) -> float:
        return undisturbed_s(
            lambda: self.pipeline(list(texts), batch_size=32, truncation=True, max_length=self.max_length)
        )


class HarnessEngine:
    """An engine of the harness, through its session; `options` change those it has."""

    def __init__(self, name: str, classifier: Classifier, threads: int, options: dict[str, Any]) -> None:
        engine = load_engines()[name]
        engine = engine.model_copy(update={"options": {**engine.options, **options}})
        self.classifier = classifier
        backend = registry.find("backend", engine.backend)(engine, Workplace("cpu", threads, cache_dir()))
        self.session = backend.load(classifier)

    def ready(self) -> dict[str, float]:
        self.session.predict(["a first text", "and a second one"])
        return {"load_s": self.session.info.load_s, "convert_s": self.session.info.convert_s}

    def single(self, texts: Sequence[str]) -> float:
        def one_by_one() -> None:
            for text in texts:
                self.session.predict([text])

        return undisturbed_s(one_by_one)

    def offline(self, texts: Sequence[str]) -> float:
        return undisturbed_s(lambda: self.session.predict(texts))

    def predictions(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, int | None]:
        prediction = self.session.predict(texts)
        return prediction.labels, prediction.probabilities, self.session.recompiles()

    def by_hand(self, texts: Sequence[str]) -> float:
        """The same forward pass over the same batches in a loop that one would write for this model alone."""
        from tokenizers import Tokenizer

        from bench.text.batching import pack

        details, forward = self.session.info.details, self.session._forward
        tokenizer = Tokenizer.from_file(str(self.classifier.path / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.classifier.manifest.max_length)
        lengths = np.array([len(encoding.ids) for encoding in tokenizer.encode_batch_fast(texts)])
        batches = pack(lengths, details["token_budget"], details["max_batch"])

        def loop() -> np.ndarray:
            ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
            probabilities = np.empty((len(texts), len(self.classifier.class_names)), dtype=np.float32)
            for rows in batches:
                width = max(len(ids[row]) for row in rows)
                input_ids = np.array([ids[row] + [0] * (width - len(ids[row])) for row in rows])
                mask = np.array([[1] * len(ids[row]) + [0] * (width - len(ids[row])) for row in rows])
                logits = forward(input_ids, mask)
                weights = np.exp(logits - logits.max(axis=1, keepdims=True))
                probabilities[rows] = weights / weights.sum(axis=1, keepdims=True)
            return probabilities

        return undisturbed_s(loop)

    def limits(self) -> dict[str, float]:
        """Rate of this machine's matrix products in GFLOP/s (oneDNN, MiniLM's widest), by precision it has."""
        import torch

        rates = {}
        dtypes = {"fp32": torch.float32} | ({"bf16": torch.bfloat16} if has_fast_bf16("cpu") else {})
        for name, dtype in dtypes.items():
            states, weight = torch.randn(2048, 384, dtype=dtype), torch.randn(1536, 384, dtype=dtype)
            packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)

            def product(states: Any = states, packed: Any = packed) -> None:
                for _ in range(20):
                    torch.ops.mkldnn._linear_pointwise(states, packed, None, "none", [], "")

            seconds = statistics.median(undisturbed_s(product) for _ in range(15))
            rates[name] = 20 * 2 * 2048 * 384 * 1536 / seconds / 1e9
        return rates


def undisturbed_s(work: Callable[[], Any]) -> float:
    """Seconds of the first run that other processes left alone, else of the least disturbed of MAX_TRIES."""
    tries = []
    for _ in range(MAX_TRIES):
        wait_until_idle()
        busy, own, started = _machine_busy_s(), _own_s(), time.perf_counter()
        work()
        seconds = time.perf_counter() - started
        foreign = (_machine_busy_s() - busy - (_own_s() - own)) / seconds / (os.cpu_count() or 1)
        if foreign <= FOREIGN_LIMIT:
            return seconds
        tries.append((foreign, seconds))
    return min(tries)[1]


def wait_until_idle() -> None:
    """Return when nobody computed for half a second, or after WAIT_S."""
    for _ in range(int(WAIT_S / 0.5)):
        before = _machine_busy_s()
        time.sleep(0.5)
        if _machine_busy_s() - before <= 2 * FOREIGN_LIMIT:
            return


def _machine_busy_s() -> float:
    ticks = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    times = os.times()
    return times.user + times.system
