"""Trains and serves a classifier with random weights, each in a process of its own: how fast is this machine?"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import registry
from bench.classifiers.folder import load_classifier
from bench.execution.sessions import open_session
from bench.files.cache import whole_folder
from bench.machine.threads import set_threads
from bench.plan.calibration import (
    EngineSpeed,
    Family,
)
from bench.types import (
    BaseWeights,
    Dataset,
    EngineSpec,
    Progress,
    Prompt,
    Recipe,
    Source,
    Split,
    SplitSizes,
    Workplace,
)

VOCABULARY = 4000
SHORT_WORDS = (8, 40)
LONG_WORDS = (60, 160)
FIT_TEXTS = 64
SHORT_AT_ONCE, LONG_AT_ONCE = 64, 24
TEXTS_ONE_BY_ONE = 12
MEASURE_S = 0.3
FEWEST_ROUNDS = 2
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
CLASSES = ("A", "B", "C", "D")
# The shapes of MiniLM, and of six layers of SmolLM2-135M; the vocabulary is small, since looking up costs little.
ENCODER: dict[str, Any] = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": VOCABULARY + 32,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
}
DECODER: dict[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": VOCABULARY + 32,
    "hidden_size": 576,
    "num_hidden_layers": 6,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "intermediate_size": 1536,
    "max_position_embeddings": 1024,
    "pad_token_id": None,
}
RECIPES: dict[Family, Recipe] = {
    "encoder": Recipe(
        id="calibration",
        title="calibration",
        method="full-finetune",
        role="encoder",
        params={"epochs": 1, "batch_size": 16, "evaluations": 1},
    ),
    "decoder": Recipe(
        id="calibration", title="calibration", method="random-weights", role="causal", params={"head": "options"}
    ),
    "network": Recipe(
        id="calibration",
        title="calibration",
        method="network",
        params={"architecture": "cnn", "epochs": 1, "min_steps": 12, "evaluations": 1, "min_frequency": 1},
    ),
}


@dataclass(frozen=True)
class PrepareTask:
    """A family, and the folder that its calibration classifier is written to."""

    family: Family
    folder: Path
    device: str
    threads: int
    cache: Path


def prepare(task: PrepareTask, progress: Progress) -> float | None:
    """Write a classifier with random weights; returns the tokens/s of its training, None where nothing was trained."""
    set_threads(task.threads)
    progress("drawing weights", 0, 1)
    shutil.rmtree(task.folder, ignore_errors=True)
    data, recipe = _dataset(), RECIPES[task.family]
    with whole_folder(task.folder) as scratch:
        base = _base(task.family, scratch / "base")
        place = Workplace(task.device, task.threads, task.cache)
        target = scratch / "classifier"
        target.mkdir()
        trainer = registry.find("trainer", recipe.method)(recipe, base, place)
        fit = trainer.fit(data, 0, target, progress).manifest.fit
    tokens = sum(len(text.split()) for text in data.train.texts)
    return tokens * (fit.epochs or 0.0) / fit.fit_s if fit.fit_s else None


def _base(family: Family, folder: Path) -> BaseWeights | None:
    """A base model with random weights; its words are its tokens."""
    if family == "network":
        return None
    folder.mkdir(parents=True)
    config = ENCODER if family == "encoder" else DECODER
    if family == "encoder":
        import torch
        from transformers import AutoConfig, AutoModel

        torch.manual_seed(0)
        settings = {name: value for name, value in config.items() if name not in ("architectures", "model_type")}
        AutoModel.from_config(AutoConfig.for_model(config["model_type"], **settings)).save_pretrained(folder)
    else:
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    _tokenizer(special=family == "encoder").save(str(folder / "tokenizer.json"))
    pooling: Any = "cls" if family == "encoder" else "last"
    return BaseWeights(name="calibration", path=folder, sha256="0" * 64, origin="random weights", pooling=pooling)


def _tokenizer(special: bool) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = (*SPECIAL, *CLASSES, ".", ":", "?", *(f"w{number}" for number in range(VOCABULARY)))
    tokenizer = Tokenizer(models.WordLevel({word: row for row, word in enumerate(words)}, unk_token="[UNK]"))  # noqa: S106 - a token, no password
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(list(SPECIAL))
    if special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    return tokenizer


def _dataset() -> Dataset:
    generator = np.random.default_rng(0)
    train = _texts(generator, FIT_TEXTS // 2, SHORT_WORDS) + _texts(generator, FIT_TEXTS // 2, LONG_WORDS)
    few = _texts(generator, 2 * len(CLASSES), SHORT_WORDS)
    return Dataset(
        name="calibration",
        title="calibration",
        language="en",
        class_names=CLASSES,
        train=_split(train),
        validation=_split(few),
        test=_split(few),
        full_sizes=SplitSizes(train=len(train), validation=len(few), test=len(few)),
        source=Source(kind="sample", name="calibration"),
        prompt=Prompt(template="{text} :", label_words=CLASSES),
    )


def _texts(generator: np.random.Generator, count: int, words: tuple[int, int]) -> list[str]:
    """Words drawn at random, numbers of words from the range."""
    return [
        " ".join(f"w{number}" for number in generator.integers(0, VOCABULARY, generator.integers(*words)))
        for _ in range(count)
    ]


def _split(texts: Sequence[str]) -> Split:
    rows = np.arange(len(texts), dtype=np.int64)
    return Split(tuple(texts), rows % len(CLASSES), rows)


@dataclass(frozen=True)
class SpeedTask:
    """The prepared classifier and the engine that serves it."""

    prepared: PrepareTask
    engine: EngineSpec


def measure_speed(task: SpeedTask, progress: Progress) -> EngineSpeed:
    """The rates at both ends, each the best of several rounds over about 0.3 s."""
    place = task.prepared
    set_threads(place.threads)
    generator = np.random.default_rng(1)
    short = _texts(generator, SHORT_AT_ONCE, SHORT_WORDS)
    long = _texts(generator, LONG_AT_ONCE, LONG_WORDS)
    classifier, scratch = load_classifier(place.folder / "classifier"), place.folder / "engines"
    progress(f"loading into {task.engine.name}", 0, 1)
    session = open_session(classifier, task.engine, Workplace(place.device, place.threads, scratch))
    try:
        progress("measuring", 0, 1)
        mixed = [text for pair in zip(short, long, strict=False) for text in pair][:TEXTS_ONE_BY_ONE]
        return EngineSpeed(
            engine=task.engine.name,
            precision=task.engine.precision,
            single_rps=len(mixed) / _best_s(lambda: [session.predict((text,)) for text in mixed]),
            short_rps=len(short) / _best_s(lambda: session.predict(short)),
            long_rps=len(long) / _best_s(lambda: session.predict(long)),
            load_s=session.info.load_s,
            convert_s=session.info.convert_s,
        )
    finally:
        session.close()


def _best_s(call: Callable[[], Any]) -> float:
    call()
    times: list[float] = []
    until = time.perf_counter() + MEASURE_S
    while len(times) < FEWEST_ROUNDS or time.perf_counter() < until:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)
