"""Trains all weights of an encoder and a head built by hand: what "from scratch" means in the write-ups."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from pydantic import Field
from safetensors.torch import save_file
from torch import Tensor, nn

from bench.classifiers.embedding import EmbeddingModule, SentenceEncoder
from bench.classifiers.folder import save_classifier
from bench.classifiers.pretrained import link_model, load_pretrained
from bench.errors import NotAvailable
from bench.text.tokens import TextTokenizer
from bench.types import Classifier, Dataset, Progress
from trainers.loop.batches import tokenise
from trainers.loop.loop import train_module
from trainers.loop.losses import make_objective
from trainers.loop.modules import all_parameters, seed_everything, trainable_parameters
from trainers.loop.teaching import ask_teacher
from trainers.params import read_params
from trainers.shared.lengths import length_notes
from trainers.shared.records import loop_record, make_manifest
from trainers.shared.sequence import SequenceParams, text_length
from trainers.trainer import RecipeTrainer


class OwnHeadParams(SequenceParams):
    """A fine-tune's; width of the head's inner layer and its dropout."""

    hidden: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)


class OwnHeadTrainer(RecipeTrainer):
    """Pooled as the base model's sentence vectors are, then two linear layers."""

    params_type = OwnHeadParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train encoder and head, write the classifier folder."""
        from transformers import AutoModel

        params, base = read_params(self.recipe, OwnHeadParams), self.require_base()
        if base.no_vectors:
            raise NotAvailable(f"{base.name}: {base.no_vectors}")
        max_length = text_length(base, params.max_length, 0)
        taught = ask_teacher(params, data, self.place, progress)
        started = time.perf_counter()
        tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", max_length, before=base.prefix)
        train, validation = tokenise(taught.train, tokenizer), tokenise(data.validation, tokenizer)
        train = replace(train, soft=taught.soft)
        tokenise_s = time.perf_counter() - started
        seed_everything(seed)
        encoder = load_pretrained(AutoModel, base.path, base.name)
        module = _Headed(encoder, base.pooling, params, len(data.class_names))
        total = all_parameters(module)
        objective = make_objective(params, train.labels, len(data.class_names))
        outcome = train_module(module, train, validation, params, seed, self.place, progress, objective)
        encoder.save_pretrained(out)
        head = {name: weight.detach().contiguous() for name, weight in module.head.state_dict().items()}
        save_file(head, out / "head.safetensors")
        link_model(base.path, out, ("tokenizer.json",))
        notes = (*taught.notes, *length_notes(self.recipe, base, max_length))
        trainable = trainable_parameters(module)
        fit = loop_record(outcome, len(train), tokenise_s, trainable, total, 4 * total, notes, taught.teacher_s)
        settings = {"pooling": base.pooling, "normalise": False, "before": base.prefix}
        manifest = make_manifest("embedding", data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)


class _Headed(EmbeddingModule):
    """The served module with dropout on the vectors."""

    def __init__(self, encoder: nn.Module, pooling: str, params: OwnHeadParams, classes: int) -> None:
        width = encoder.config.hidden_size  # type: ignore[union-attr]
        head = nn.Sequential(nn.Linear(width, params.hidden), nn.ReLU(), nn.Linear(params.hidden, classes))  # type: ignore[arg-type]
        super().__init__(SentenceEncoder(encoder, pooling, normalise=False), head)
        self.dropout = nn.Dropout(params.dropout)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.dropout(self.sentence_encoder(input_ids, attention_mask))).float()
