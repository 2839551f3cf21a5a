"""SmolLM2-135M as a classifier: option scoring against generating 8 tokens, LoRA against a plain library Trainer.

    BENCH_DATA=DIR python benchmarks/language_models.py [--texts 48] [--steps 8] [--out benchmarks/language_models.md]

Every way is measured with the same threads, in rounds that take turns; answering in one process, training each time in
one of its own. The table has the median round and the range. "Option scoring" reads one forward pass a text;
"generating" is transformers' generate with a cap of 8 new tokens on the same prompt. With the text first, question and
options follow it, as in the write-ups; with the text last they are in the part that all prompts share. The Trainer is
used as a tutorial uses it: fp32, padded to 128.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from finetune import padded_rows

from bench import registry
from bench.classifiers.adapters import add_lora
from bench.classifiers.pretrained import load_pretrained
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.files.cache import cache_dir
from bench.machine.companions import hide_unfit_companions
from bench.machine.environment import cpu_card
from bench.machine.threads import set_threads
from bench.models.base import base_weights
from bench.plan.engines import load_engines
from bench.types import BaseWeights, Classifier, Dataset, EngineSpec, Recipe, Session, Workplace

BATCH_SIZE = 16
NEW_TOKENS = 8
SCORING = "option scoring"
WRITING = f"generating {NEW_TOKENS} tokens"
PROMPTS = {"text first": False, "text last": True}
ENGINES = ("eager", "eager-bf16", "packed", "packed-bf16")
LORA = {"r": 8, "alpha": 32, "dropout": 0.1}
TARGETS = ["q_proj", "k_proj", "v_proj"]
Rounds = dict[str, list[float]]


def main() -> None:
    hide_unfit_companions()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=48, help="texts a round, answered one by one")
    parser.add_argument("--steps", type=int, default=8, help="training steps of 16 texts a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    limits = Limits(train=max(400, BATCH_SIZE * arguments.steps), test=max(200, arguments.texts))
    data = prepare_dataset(load_suite("agnews"), None, limits, None)
    base = base_weights("smollm2-135m", None)
    place = Workplace("cpu", arguments.threads, cache_dir())
    texts = data.test.texts[: arguments.texts]
    with tempfile.TemporaryDirectory() as folder:
        answering = answer_in_turns(data, base, place, texts, arguments.rounds, Path(folder))
        training = train_in_turns(data, base, place, arguments.steps, arguments.rounds, Path(folder))
    report = render(data, arguments, answering, training)
    arguments.out.write_text(report, encoding="utf-8")
    print(report)


def make(recipe: Recipe, data: Dataset, base: BaseWeights, place: Workplace, out: Path) -> Classifier:
    out.mkdir(parents=True)
    return registry.find("trainer", recipe.method)(recipe, base, place).fit(data, 0, out, lambda *_: None)


def answer_in_turns(
    data: Dataset, base: BaseWeights, place: Workplace, texts: tuple[str, ...], rounds: int, folder: Path
) -> Rounds:
    """Texts a second by name, one a round: both ways on every engine, one by one and all at once."""
    sessions: dict[str, Session] = {}
    for name, recipe in answering_ways().items():
        classifier = make(recipe, data, base, place, folder / recipe.id)
        for engine in ENGINES:
            spec: EngineSpec = load_engines()[engine]
            backend = registry.find("backend", spec.backend)(spec, Workplace("cpu", place.threads, place.cache))
            sessions[f"{name}, {engine}"] = backend.load(classifier)
    rates: Rounds = {}
    for number in range(rounds + 1):
        for name, session in sessions.items():
            single, together = rate(session, texts, one_by_one=True), rate(session, texts, one_by_one=False)
            if number:  # the first round warms up
                rates.setdefault(f"{name}, one by one", []).append(single)
                rates.setdefault(f"{name}, all at once", []).append(together)
    return rates


def answering_ways() -> dict[str, Recipe]:
    """Both ways, each asked as the write-ups ask and with the text at the prompt's end."""
    ways = {}
    for order, text_last in PROMPTS.items():
        asked = {"answers": "letters", "chat": True, "text_last": text_last}
        scoring = {**asked, "normalisation": "sum"}
        writing = {**asked, "max_new_tokens": NEW_TOKENS}
        ways[f"{SCORING}, {order}"] = Recipe(id=f"o{text_last}", title="o", method="zero-shot", params=scoring)
        ways[f"{WRITING}, {order}"] = Recipe(id=f"g{text_last}", title="g", method="generate", params=writing)
    return ways


def rate(session: Session, texts: tuple[str, ...], one_by_one: bool) -> float:
    started = time.perf_counter()
    if one_by_one:
        for text in texts:
            session.predict([text])
    else:
        session.predict(texts)
    return len(texts) / (time.perf_counter() - started)


def train_in_turns(data: Dataset, base: BaseWeights, place: Workplace, steps: int, rounds: int, folder: Path) -> Rounds:
    """Training texts a second by name, one a round; each round starts from the same weights."""
    sft = {"weights": "lora", "chat": True, "answers": "letters"}
    ways: dict[str, Callable[[int], float]] = {
        "library Trainer + peft, padded to 128, fp32": lambda _: in_a_process(
            library_rate, data, base, place.threads, steps
        ),
        "harness, LoRA with a linear head": lambda number: in_a_process(
            harness_rate, "lora", {}, data, base, place, steps, folder / f"lora{number}"
        ),
        "harness, LoRA prompt SFT": lambda number: in_a_process(
            harness_rate, "sft", sft, data, base, place, steps, folder / f"sft{number}"
        ),
    }
    rates: Rounds = {}
    for number in range(rounds):
        for name, measure in ways.items():
            rates.setdefault(name, []).append(measure(number))
    return rates


def in_a_process(measure: Callable[..., float], *arguments: Any) -> float:
    """A fresh process, so that no way starts with the memory that another has left."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, *arguments).result()


def harness_rate(
    method: str, extra: dict[str, Any], data: Dataset, base: BaseWeights, place: Workplace, steps: int, out: Path
) -> float:
    """Texts a second of `steps` steps, tokenising counted, evaluation not."""
    set_threads(place.threads)
    part = data.train.take(np.arange(BATCH_SIZE * steps))
    small = replace(data, train=part, validation=data.validation.take(np.arange(BATCH_SIZE)))
    params = {**LORA, "targets": TARGETS, "epochs": 1, "batch_size": BATCH_SIZE, "evaluations": 1, **extra}
    classifier = make(Recipe(id=method, title=method, method=method, params=params), small, base, place, out)
    fit = classifier.manifest.fit
    return len(part) / (fit.fit_s + fit.tokenise_s)


def library_rate(data: Dataset, base: BaseWeights, threads: int, steps: int) -> float:
    """The same with transformers.Trainer: every text padded to 128 tokens, fp32."""
    from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments

    set_threads(threads)
    model = load_pretrained(AutoModelForSequenceClassification, base.path, num_labels=len(data.class_names))
    model.config.pad_token_id = 0
    model.requires_grad_(False)
    add_lora(model, targets=TARGETS, **LORA)
    model.score.requires_grad_(True)
    rows = padded_rows(data, base)[: BATCH_SIZE * steps]
    with tempfile.TemporaryDirectory() as folder:
        options = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=BATCH_SIZE,
            max_steps=steps,
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = Trainer(model=model, args=options, train_dataset=rows)
        started = time.perf_counter()
        trainer.train()
        return BATCH_SIZE * steps / (time.perf_counter() - started)


def render(data: Dataset, arguments: argparse.Namespace, answering: Rounds, training: Rounds) -> str:
    """Both tables as markdown, ratios within the run."""
    source = f"{data.source.kind} {data.source.name.rsplit('/', 1)[-1]}"
    lines = [
        "# SmolLM2-135M as a classifier",
        "",
        f"AG News ({source}); {cpu_card()['model']}, {arguments.threads} threads; {arguments.rounds} rounds in turns, "
        "median and range. Made by `benchmarks/language_models.py`.",
        "",
        f"## Answering {arguments.texts} texts",
        "",
        "| way | texts/s | range | times generating, same engine |",
        "|---|--:|---|--:|",
    ]
    for name, rates in answering.items():
        against = answering[name.replace(SCORING, WRITING)]
        ratio = f"{median(rates) / median(against):.2f}x"
        lines.append(f"| {name} | {median(rates):.2f} | {min(rates):.2f} to {max(rates):.2f} | {ratio} |")
    plain = median(next(iter(training.values())))
    lines += ["", f"## Training, {arguments.steps} steps of {BATCH_SIZE} texts", ""]
    lines += ["| way | texts/s | range | times the library Trainer |", "|---|--:|---|--:|"]
    for name, rates in training.items():
        lines.append(
            f"| {name} | {median(rates):.2f} | {min(rates):.2f} to {max(rates):.2f} | {median(rates) / plain:.2f}x |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
