"""TextCNN from scratch (Kim 2014), with a vocabulary of its own learnt from the training texts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bench.artifacts import save_classifier
from bench.types import BaseWeights, Classifier, Dataset, Progress, Recipe
from trainers.loop import LoopParams
from trainers.params import read_params

SPACELESS_LANGUAGES = frozenset({"zh", "ja", "th"})


class TextCnnParams(LoopParams):
    """The loop's, and the network's; a word must occur twice in train to be in the vocabulary."""

    learning_rate: float = 1e-3
    epochs: int = 5
    min_steps: int = 150
    batch_size: int = 32
    weight_decay: float = 0.01
    evaluations: int = 10
    patience: int | None = 4
    width: int = 128
    filters: int = 100
    windows: tuple[int, ...] = (2, 3, 4)
    dropout: float = 0.5
    vocabulary_size: int = 30_000
    min_frequency: int = 2
    max_length: int = 256


class TextCnnTrainer:
    """Words for languages that put spaces between them, characters for the others."""

    def __init__(self, recipe: Recipe, base: BaseWeights | None, device: str, threads: int, cache: Path) -> None:
        self.recipe = recipe
        self.device = device

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Learn the vocabulary, train the network, write the classifier folder."""
        from safetensors.torch import save_file

        from bench.modules import TextCnn
        from bench.tokens import TextTokenizer
        from trainers.batches import tokenise
        from trainers.loop import all_parameters, seed_everything, train_module
        from trainers.records import loop_record, make_manifest

        params = read_params(self.recipe, TextCnnParams)
        started = time.perf_counter()
        vocabulary_size = _learn_vocabulary(data, params, out / "tokenizer.json")
        tokenizer = TextTokenizer.from_file(out / "tokenizer.json", params.max_length)
        train, validation = tokenise(data.train, tokenizer), tokenise(data.validation, tokenizer)
        tokenise_s = time.perf_counter() - started
        settings: dict[str, Any] = {
            "vocabulary_size": vocabulary_size,
            "width": params.width,
            "filters": params.filters,
            "windows": list(params.windows),
            "dropout": params.dropout,
        }
        seed_everything(seed)
        module = TextCnn(classes=len(data.class_names), **settings)
        outcome = train_module(module, train, validation, params, seed, self.device, progress)
        save_file(
            {name: weight.contiguous() for name, weight in module.state_dict().items()}, out / "network.safetensors"
        )
        total = all_parameters(module)
        fit = loop_record(outcome, len(train), tokenise_s, trainable=total, total=total)
        manifest = make_manifest("network", data, self.recipe, seed, fit, params.max_length, settings)
        return save_classifier(out, manifest)


def _learn_vocabulary(data: Dataset, params: TextCnnParams, path: Path) -> int:
    """Write a word-level (or character-level) tokenizer.json; returns the number of entries."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))  # noqa: S106 - not a password
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    by_character = data.language in SPACELESS_LANGUAGES
    tokenizer.pre_tokenizer = (
        pre_tokenizers.Split(Regex(r"\S"), behavior="isolated") if by_character else pre_tokenizers.Whitespace()
    )
    trainer = trainers.WordLevelTrainer(
        vocab_size=params.vocabulary_size,
        min_frequency=params.min_frequency,
        special_tokens=["[PAD]", "[UNK]"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(data.train.texts, trainer)
    tokenizer.save(str(path))
    return int(tokenizer.get_vocab_size())
