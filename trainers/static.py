"""Distils static token vectors from a sentence encoder (Model2Vec), then fits a head on their means.

Tulkens and van Dongen 2024, "Model2Vec": every token of the vocabulary is read alone by the encoder; the vectors are
brought to `width` dimensions by their principal components, and weighted by a / (a + p), where p is the frequency that
Zipf's law gives the token's place in the vocabulary (Arora et al. 2017, with a = `sif`). The package `model2vec` does
the same, but its distillation asks for a transformers older than the one here.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import save_file
from tokenizers import Tokenizer

from bench.classifiers.bags import BagOfVectors
from bench.classifiers.folder import save_classifier
from bench.errors import NotAvailable
from bench.machine.memory import peak_bytes
from bench.machine.precision import has_fast_bf16
from bench.text.tokens import TextTokenizer
from bench.types import BaseWeights, Classifier, Dataset, FitRecord, Progress
from trainers.loop.batches import TokenisedSplit, tokenise
from trainers.loop.modules import all_parameters, seed_everything
from trainers.params import Params, read_params
from trainers.shared.heads import choose_logistic_regression
from trainers.shared.records import make_manifest
from trainers.shared.vectors import embed, sentence_encoder
from trainers.trainer import RecipeTrainer

UNUSED = re.compile(r"\[unused\d+\]")


class StaticParams(Params):
    """Dimensions that are kept, the weighting's constant (None: no weighting), the head's strengths to choose from."""

    width: int = Field(default=256, ge=1)
    sif: float | None = Field(default=1e-4, gt=0.0, lt=1.0)
    strengths: tuple[float, ...] = (1.0, 10.0, 100.0)
    max_length: int = 512


class StaticTrainer(RecipeTrainer):
    """What it writes is a table of vectors and a head: no transformer is computed when it serves."""

    params_type = StaticParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Distil the table, fit the head, write the classifier folder."""
        params, base = read_params(self.recipe, StaticParams), self.require_base()
        if base.no_vectors:
            raise NotAvailable(f"{base.name}: {base.no_vectors}")
        seed_everything(seed)
        started = time.perf_counter()
        table = distil(base, params.width, params.sif, self.place.device, progress)
        distil_s = time.perf_counter() - started
        _save_plain_tokenizer(base.path / "tokenizer.json", out / "tokenizer.json")
        tokenizer = TextTokenizer.from_file(out / "tokenizer.json", params.max_length)
        shape = {"vocabulary_size": len(table), "width": table.shape[1], "normalise": True}
        bag = BagOfVectors(classes=len(data.class_names), **shape)
        bag.embedding.weight.data = torch.from_numpy(table)
        started = time.perf_counter()
        train, validation = tokenise(data.train, tokenizer), tokenise(data.validation, tokenizer)
        tokenise_s = time.perf_counter() - started
        started = time.perf_counter()
        vectors, others = (embed(_Pooled(bag), split, "cpu", False, progress) for split in (train, validation))
        embed_s = time.perf_counter() - started
        progress("fitting the head", 0, 1)
        fixed = (vectors, data.train.labels, others, data.validation.labels, len(data.class_names))
        head = choose_logistic_regression(*fixed, params.strengths, seed)
        bag.head.load_state_dict({name[2:]: torch.from_numpy(weight) for name, weight in head.weights.items()})
        save_file({name: weight.contiguous() for name, weight in bag.state_dict().items()}, out / "network.safetensors")
        total = all_parameters(bag)
        fit = FitRecord(
            fit_s=distil_s + embed_s + head.fit_s,
            tokenise_s=tokenise_s,
            evaluate_s=head.evaluate_s,
            examples=len(data.train),
            trainable_parameters=all_parameters(bag.head),
            total_parameters=total,
            saved_bytes=(out / "network.safetensors").stat().st_size,
            peak_bytes=peak_bytes(),
            curve=(head.point,),
            notes=(
                f"vectors of {len(table):,} tokens in {table.shape[1]} dimensions, distilled in {distil_s:.1f} s; "
                f"head {head.fit_s:.1f} s, C = {head.strength:g}",
            ),
        )
        settings = {"architecture": "bag", "network": shape}
        manifest = make_manifest("network", data, self.recipe, seed, fit, params.max_length, settings, base)
        return save_classifier(out, manifest)


class _Pooled(torch.nn.Module):
    """What stands under the head."""

    def __init__(self, bag: BagOfVectors) -> None:
        super().__init__()
        self.bag = bag

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.bag.pooled(input_ids, attention_mask)


def distil(base: BaseWeights, width: int, sif: float | None, device: str, progress: Progress) -> np.ndarray:
    """Vectors float32 (v, d) of the base's vocabulary; special tokens and places that no text has are 0."""
    tokenizer = Tokenizer.from_file(str(base.path / "tokenizer.json"))
    names = {row: name for name, row in tokenizer.get_vocab().items()}
    special = {row for row, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    rows = [row for row in sorted(names) if row not in special and not UNUSED.fullmatch(names[row])]
    before, after = _surrounding(tokenizer)
    ids = [[*before, row, *after] for row in rows]
    tokens = TokenisedSplit(ids, np.array([len(each) for each in ids]), np.zeros(len(ids), np.int64), 0)
    bf16 = has_fast_bf16(device)
    vectors = embed(sentence_encoder(base, normalise=False), tokens, device, bf16, progress)
    kept = principal_components(vectors, width) * zipf_weights(len(rows), sif)[:, None]
    table = np.zeros((max(names) + 1, kept.shape[1]), dtype=np.float32)
    table[rows] = kept
    return table


def _surrounding(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text."""
    encoding = tokenizer.encode("a")
    text = [at for at, special in enumerate(encoding.special_tokens_mask) if not special]
    if not text:
        return list(encoding.ids), []
    return encoding.ids[: text[0]], encoding.ids[text[-1] + 1 :]


def principal_components(vectors: np.ndarray, width: int) -> np.ndarray:
    """Vectors float32 (n, d) in their first min(width, d) principal components, centred (Pearson 1901)."""
    centred = (vectors - vectors.mean(axis=0)).astype(np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return (centred @ directions[:, ::-1][:, :width]).astype(np.float32)


def zipf_weights(count: int, sif: float | None) -> np.ndarray:
    """a / (a + p) float32 (n,), p as 1 / (place + 1), places from 1, brought to sum 1: rarer tokens weigh more."""
    if sif is None:
        return np.ones(count, dtype=np.float32)
    frequency = 1 / np.arange(2, count + 2)
    frequency /= frequency.sum()
    return (sif / (sif + frequency)).astype(np.float32)


def _save_plain_tokenizer(source: Path, target: Path) -> None:
    """The base's tokenizer without the special tokens around a text."""
    content = json.loads(source.read_bytes())
    content["post_processor"] = None
    target.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
