"""Invented runs of the published systems, so that the published figures stand beside something."""

from __future__ import annotations

import numpy as np
from synthetic_runs import EAGER, MINILM, Method, answers_of, data_card, fit_record, result_of, stored_run

from bench.results.records import Answers, Cell, Result, StoredRun
from bench.types import FitRecord, SplitSizes

SMOL = "HuggingFaceTB/SmolLM2-135M"
FULL = SplitSizes(train=20_000, validation=5000, test=600)


class Rows:
    """Collects the rows of one task, one recipe after the other, each on eager."""

    def __init__(self, task: str, title: str, class_names: tuple[str, ...], sizes: SplitSizes = FULL) -> None:
        self.card = data_card(
            task, test=600, title=title, class_names=class_names, sizes=sizes, full_sizes=FULL, fingerprint=task * 8
        )
        self.labels = np.random.default_rng(1).integers(0, len(class_names), 600)
        self.results: list[Result] = []
        self.answers: dict[str, Answers] = {}

    def add(self, recipe: str, base: str | None, accuracy: float, row: str, **changes: object) -> None:
        """Fields of Cell, FitRecord and Result by their names; `invalid` answers name no class."""
        answers = answers_of(self.labels, len(self.card.class_names), accuracy, len(self.results))
        method = Method(recipe, base, accuracy, 40 + len(self.results), 120.0, (EAGER,))
        result = result_of(self.card, method, EAGER, answers)
        cell = {name: value for name, value in changes.items() if name in Cell.model_fields} | {"row": row}
        fit = {name: value for name, value in changes.items() if name in FitRecord.model_fields}
        rest = {name: value for name, value in changes.items() if name in Result.model_fields}
        record = fit_record(method).model_copy(update=fit)
        rest |= {"cell": result.cell.model_copy(update=cell), "fit": record}
        self.results.append(result.model_copy(update=rest))
        self.answers[result.cell.id] = answers

    def run(self, **settings: object) -> StoredRun:
        return stored_run(self.results, self.answers, tasks=(self.card.task,), **settings)


def agnews_run() -> StoredRun:
    """A: fine-tuning, SFT, zero-shot with and without thinking; small models stand in."""
    rows = Rows("agnews", "AG News", ("World", "Sports", "Business", "Sci/Tech"))
    rows.add("full-finetune", MINILM, 0.90, "A1", stands_for="bert-base-cased")
    rows.add("sft", SMOL, 0.88, "A3", stands_for="Qwen3-0.6B")
    untrained = {"trainable_parameters": 0, "curve": (), "examples": None, "epochs": None, "fit_s": 0.0}
    answering = {**untrained, "classifier_kind": "options"}
    rows.add("zero-shot-letters", SMOL, 0.55, "A4", stands_for="Qwen3-0.6B", **answering)
    answering |= {"classifier_kind": "generate", "predict_s": 190.0}
    rows.add("zero-shot-thinking", SMOL, 0.58, "A5", stands_for="Qwen3-0.6B", **answering)
    return rows.run()


def imdb_run() -> StoredRun:
    """C: three of the twenty-one ways, one of them as published, and 4-bit tuning before and after."""
    rows = Rows("imdb", "IMDB movie reviews", ("negative", "positive"))
    rows.add("lstm", None, 0.86, "C1", examples=20_000)
    rows.add("deberta-lora", MINILM, 0.87, "C7", stands_for="deberta-v3-base")
    before = {"trainable_parameters": 0, "classifier_kind": "generate", "curve": ()}
    rows.add("before-tuning", SMOL, 0.40, "C12", **before)
    rows.add("qlora", SMOL, 0.84, "C12", stands_for="Llama-3.2-1B-Instruct", classifier_kind="generate")
    return rows.run()


def sst2_run() -> StoredRun:
    """D: the sample sizes of D1 on another split than theirs, and an instructed model."""
    rows = Rows("sst2", "SST-2", ("negative", "positive"))
    for size, accuracy in ((16, 0.55), (256, 0.78), (4096, 0.9)):
        variant = {"variant_of": "deberta-lora-few", "variant": str(size), "examples": size}
        rows.add(f"deberta-lora-few@{size}", MINILM, accuracy, "D1", stands_for="deberta-v3-base", **variant)
    rows.add("instructed", SMOL, 0.6, "D2", classifier_kind="generate", trainable_parameters=0, curve=())
    return rows.run(study="How many training texts does it take?", study_axis="training texts")


def weibo_run() -> StoredRun:
    """B: the write-up's three methods."""
    rows = Rows("weibo", "Weibo sentiment", ("负面", "正面"))
    rows.add("full-finetune-gpt2", SMOL, 0.95, "B3", saved_bytes=538_000_000)
    rows.add("adapter", MINILM, 0.94, "B2", trainable_parameters=800_000, saved_bytes=3_200_000)
    rows.add("lora-decoder", SMOL, 0.94, "B1", trainable_parameters=900_000, saved_bytes=3_600_000)
    return rows.run()


def published_runs() -> dict[str, StoredRun]:
    """By the name of their golden file."""
    return {
        "published-agnews": agnews_run(),
        "published-imdb": imdb_run(),
        "published-sst2": sst2_run(),
        "published-weibo": weibo_run(),
    }
