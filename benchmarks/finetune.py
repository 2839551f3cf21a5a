"""Fine-tuning MiniLM for one epoch: the harness's loop against the library Trainer padding to 128 tokens in fp32.

    BENCH_DATA=DIR python benchmarks/finetune.py [--texts 2000] [--out benchmarks/finetune.md]

Both start from the same weights and head seed, with the same batch size and learning rate, in one process and with the
same threads; both are scored on the same test texts by Hugging Face eager fp32.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.classifiers.folder import load_classifier
from bench.classifiers.modules import load_module
from bench.classifiers.pretrained import load_pretrained
from bench.classifiers.sequence import SequenceModule
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.files.cache import cache_dir
from bench.machine.environment import cpu_card
from bench.machine.threads import set_threads
from bench.models.base import base_weights
from bench.quality.scores import measure_quality
from bench.results.records import Answers, Quality
from bench.text.tokens import TextTokenizer
from bench.types import BaseWeights, Dataset, Prediction, Recipe, Workplace
from trainers.full_finetune import FullFinetuneTrainer
from trainers.loop.batches import tokenise
from trainers.loop.evaluate import predict_logits
from trainers.loop.modules import seed_everything

BATCH_SIZE = 32
LEARNING_RATE = 2e-4
PADDED_LENGTH = 128
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--test-texts", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    set_threads(arguments.threads)
    data = prepare_dataset(load_suite("agnews"), None, Limits(train=arguments.texts, test=arguments.test_texts), None)
    base = base_weights("minilm", None)
    ours_s, ours = harness_loop(data, base, arguments.threads)
    theirs_s, theirs = library_trainer(data, base)
    report = render(data, arguments.threads, (ours_s, ours), (theirs_s, theirs))
    arguments.out.write_text(report, encoding="utf-8")
    print(report)


def harness_loop(data: Dataset, base: BaseWeights, threads: int) -> tuple[float, Quality]:
    """Wall seconds of tokenising and training, evaluation left out, and the quality on test."""
    params = {"learning_rate": LEARNING_RATE, "epochs": 1, "batch_size": BATCH_SIZE, "evaluations": 1}
    recipe = Recipe(id="full-finetune", title="full fine-tune", method="full-finetune", params=params)
    with tempfile.TemporaryDirectory() as folder:
        trainer = FullFinetuneTrainer(recipe, base, Workplace("cpu", threads, cache_dir()))
        trainer.fit(data, SEED, Path(folder), lambda *_: None)
        classifier = load_classifier(Path(folder))
        fit = classifier.manifest.fit
        return fit.fit_s + fit.tokenise_s, score(load_module(classifier), data, base)


def library_trainer(data: Dataset, base: BaseWeights) -> tuple[float, Quality]:
    """The same with transformers.Trainer as a tutorial uses it: every text padded to 128 tokens, fp32."""
    from transformers import AutoModelForSequenceClassification, Trainer, TrainingArguments

    seed_everything(SEED)
    model = load_pretrained(AutoModelForSequenceClassification, base.path, num_labels=len(data.class_names))
    with tempfile.TemporaryDirectory() as folder:
        options = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=BATCH_SIZE,
            num_train_epochs=1,
            learning_rate=LEARNING_RATE,
            warmup_steps=0.1,
            weight_decay=0.01,
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            seed=SEED,
        )
        started = time.perf_counter()
        Trainer(model=model, args=options, train_dataset=padded_rows(data, base)).train()
        fit_s = time.perf_counter() - started
    return fit_s, score(SequenceModule(model).eval(), data, base)


def padded_rows(data: Dataset, base: BaseWeights) -> list[dict[str, Any]]:
    """One row a text, padded to 128 tokens."""
    tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", PADDED_LENGTH)
    rows = []
    for ids, label in zip(tokenizer.encode(data.train.texts).ids, data.train.labels, strict=True):
        padding = PADDED_LENGTH - len(ids)
        mask = [1] * len(ids) + [0] * padding
        rows.append({"input_ids": ids + [tokenizer.pad_id] * padding, "attention_mask": mask, "labels": int(label)})
    return rows


def score(module: torch.nn.Module, data: Dataset, base: BaseWeights) -> Quality:
    """Quality on the test texts, fp32."""
    tokens = tokenise(data.test, TextTokenizer.from_file(base.path / "tokenizer.json", 256))
    logits = predict_logits(module, tokens, "cpu", bf16=False)
    probabilities = torch.from_numpy(logits).softmax(dim=1).numpy()
    prediction = Prediction(probabilities, logits.argmax(axis=1), tokens.lengths, np.zeros(len(tokens), dtype=bool))
    return measure_quality(Answers(data.test.ids, data.test.labels, prediction), data.class_names)


def render(data: Dataset, threads: int, ours: tuple[float, Quality], theirs: tuple[float, Quality]) -> str:
    """The table as markdown."""
    cpu = cpu_card()
    lines = [
        "# Fine-tuning MiniLM, one epoch",
        "",
        f"{len(data.train):,} AG News training texts ({data.source.kind} {data.source.name.rsplit('/', 1)[-1]}), "
        f"{len(data.test):,} test texts; batch {BATCH_SIZE}; {cpu['model']}, {threads} threads; "
        "one run each, in one process.",
        "",
        "| loop | seconds | texts/s | macro F1 | 95 % |",
        "|---|--:|--:|--:|---|",
    ]
    for name, (seconds, quality) in (
        ("library Trainer, padded to 128, fp32", theirs),
        ("harness: grouped by length, no padding, bf16 where it is fast", ours),
    ):
        f1 = quality.macro_f1
        rate = len(data.train) / seconds
        lines.append(f"| {name} | {seconds:.1f} | {rate:.1f} | {f1.value:.3f} | {f1.low:.3f} to {f1.high:.3f} |")
    lines += ["", f"Ratio: {theirs[0] / ours[0]:.2f}x.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
