"""Trains networks from scratch on word vectors, with a vocabulary of their own learnt from the training texts."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from bench.classifiers.bags import MOST_BUCKETS
from bench.classifiers.folder import save_classifier
from bench.types import Classifier, Dataset, Progress
from trainers.loop.records import LoopParams
from trainers.loop.teaching import ask_teacher
from trainers.params import read_params
from trainers.shared.vocabulary import learn_vocabulary, load_vectors
from trainers.trainer import RecipeTrainer

if TYPE_CHECKING:
    from torch import nn

Architecture = Literal["bag", "cnn", "lstm", "gru", "cnn+lstm", "attention-lstm", "capsule-lstm", "transformer"]

# What each architecture takes beside classes and vocabulary.
_SETTINGS: dict[str, tuple[str, ...]] = {
    "bag": ("width", "ngrams", "buckets", "dropout"),
    "cnn": ("width", "filters", "windows", "dropout"),
    "lstm": ("width", "hidden", "dropout"),
    "gru": ("width", "hidden", "dropout"),
    "cnn+lstm": ("width", "hidden", "dropout", "filters"),
    "attention-lstm": ("width", "hidden", "dropout"),
    "capsule-lstm": ("width", "hidden", "dropout", "capsule"),
    "transformer": ("width", "layers", "heads", "dropout", "max_length"),
}


class NetworkParams(LoopParams):
    """The loop's, and the network's.

    tokens: words, characters (the choice of "auto" for languages without spaces) or learnt subwords; a token must occur
    `min_frequency` times in train. ngrams, buckets: of a bag, neighbours that have a vector together, and how many
    vectors they share. vectors_file: word vectors to start from, one word and its numbers a line.
    """

    architecture: Architecture
    learning_rate: float = 2e-3
    epochs: int = 4
    min_steps: int = 150
    batch_size: int = 32
    evaluations: int = 10
    patience: int | None = 4
    width: int = 128
    hidden: int = 128
    filters: int = 100
    windows: tuple[int, ...] = (2, 3, 4)
    ngrams: int = Field(default=2, ge=1)
    buckets: int = Field(default=50_000, ge=1, le=MOST_BUCKETS)
    capsule: int = 16
    layers: int = 2
    heads: int = 4
    dropout: float = 0.3
    tokens: Literal["auto", "word", "character", "subword"] = "auto"
    vocabulary_size: int = 30_000
    min_frequency: int = 2
    max_length: int = 256
    vectors_file: str | None = None


class NetworkTrainer(RecipeTrainer):
    """One trainer for all architectures of bench/classifiers/networks.py."""

    params_type = NetworkParams

    def fit(self, data: Dataset, seed: int, out: Any, progress: Progress) -> Classifier:
        """Learn the vocabulary, train the network, write the classifier folder."""
        from safetensors.torch import save_file

        from bench.classifiers.networks import make_network
        from bench.text.tokens import TextTokenizer
        from trainers.loop.batches import tokenise
        from trainers.loop.loop import train_module
        from trainers.loop.losses import make_objective
        from trainers.loop.modules import all_parameters, seed_everything
        from trainers.shared.records import loop_record, make_manifest

        params = read_params(self.recipe, NetworkParams)
        taught = ask_teacher(params, data, self.place, progress)
        started = time.perf_counter()
        vocabulary_size = learn_vocabulary(replace(data, train=taught.train), params, out / "tokenizer.json")
        tokenizer = TextTokenizer.from_file(out / "tokenizer.json", params.max_length)
        train, validation = tokenise(taught.train, tokenizer), tokenise(data.validation, tokenizer)
        train = replace(train, soft=taught.soft)
        tokenise_s = time.perf_counter() - started
        chosen = {name: getattr(params, name) for name in _SETTINGS[params.architecture]}
        settings = {"vocabulary_size": vocabulary_size, **chosen}
        seed_everything(seed)
        module = make_network(params.architecture, len(data.class_names), settings)
        notes = (*taught.notes, *((_start_from(params.vectors_file, out, module),) if params.vectors_file else ()))
        objective = make_objective(params, train.labels, len(data.class_names))
        outcome = train_module(module, train, validation, params, seed, self.place, progress, objective)
        weights = {name: weight.contiguous() for name, weight in module.state_dict().items()}
        save_file(weights, out / "network.safetensors")
        total = all_parameters(module)
        saved = (out / "network.safetensors").stat().st_size
        fit = loop_record(outcome, len(train), tokenise_s, total, total, saved, notes, taught.teacher_s)
        stored = {"architecture": params.architecture, "network": settings}
        manifest = make_manifest("network", data, self.recipe, seed, fit, params.max_length, stored)
        return save_classifier(out, manifest)


def _start_from(vectors_file: str, out: Any, module: nn.Module) -> str:
    """Put known words' vectors into the embedding; the others stay random."""
    import torch

    embedding: Any = module.embedding
    weight = embedding.weight
    rows, vectors = load_vectors(vectors_file, out / "tokenizer.json", weight.shape[1])
    with torch.no_grad():
        weight[torch.from_numpy(rows)] = torch.from_numpy(vectors)
    return f"{len(rows):,} of {len(weight):,} tokens start from {vectors_file}"
