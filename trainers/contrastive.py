"""Tunes a sentence encoder on pairs of training texts, then fits a head on its vectors (SetFit, for few labels).

Tunstall et al. 2022, "Efficient few-shot learning without prompts": for every text `iterations` pairs with another text
of its class (cosine similarity 1) and as many with a text of another class (0); the squared error of the pair's cosine
is minimised for one epoch; then a logistic regression is fitted on the tuned encoder's vectors of the same texts.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from safetensors.numpy import save_file
from torch import Tensor, nn

from bench.classifiers.embedding import SentenceEncoder
from bench.classifiers.folder import save_classifier
from bench.classifiers.pretrained import link_model
from bench.errors import BenchError, NotAvailable
from bench.machine.memory import keep_freed_memory, peak_bytes
from bench.machine.precision import has_fast_bf16
from bench.text.tokens import TextTokenizer
from bench.types import Classifier, Dataset, FitRecord, Progress
from trainers.loop.batches import TokenisedSplit, tokenise
from trainers.loop.modules import all_parameters, seed_everything
from trainers.loop.optimisers import OptimiserParams, make_optimiser, share_of_rate
from trainers.params import read_params
from trainers.shared.heads import choose_logistic_regression
from trainers.shared.lengths import length_notes
from trainers.shared.records import make_manifest
from trainers.shared.vectors import embed, sentence_encoder
from trainers.trainer import RecipeTrainer


class ContrastiveParams(OptimiserParams):
    """The optimiser's; pairs of each kind a text, pairs of a step, and the head's strengths to choose from.

    max_steps: with many texts the pairs are drawn at random until there are that many steps; None reads all of them.
    """

    learning_rate: float = Field(default=2e-5, gt=0.0)
    iterations: int = Field(default=20, ge=1)
    batch_size: int = Field(default=16, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    max_grad_norm: float = 1.0
    strengths: tuple[float, ...] = (1.0, 10.0, 100.0)
    max_length: int = 256


class ContrastiveTrainer(RecipeTrainer):
    """What it writes is an encoder with a head, as the frozen head's: every engine of that kind serves it."""

    params_type = ContrastiveParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Tune the encoder, fit the head, write the classifier folder."""
        params, base = read_params(self.recipe, ContrastiveParams), self.require_base()
        if base.no_vectors:
            raise NotAvailable(f"{base.name}: {base.no_vectors}")
        max_length = min(params.max_length, base.max_length)
        started = time.perf_counter()
        tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", max_length, before=base.prefix)
        train, validation = tokenise(data.train, tokenizer), tokenise(data.validation, tokenizer)
        tokenise_s = time.perf_counter() - started
        seed_everything(seed)
        normalise = base.normalise is not False
        encoder = sentence_encoder(base, normalise).to(self.place.device)
        pairs = make_pairs(data.train.labels, params.iterations, np.random.default_rng(seed))
        started = time.perf_counter()
        steps = _tune(encoder, train, pairs, params, self.place.device, progress)
        tune_s = time.perf_counter() - started
        bf16 = has_fast_bf16(self.place.device)
        started = time.perf_counter()
        vectors = embed(encoder, train, self.place.device, bf16, progress)
        embed_s = time.perf_counter() - started
        started = time.perf_counter()
        validation_vectors = embed(encoder, validation, self.place.device, bf16, progress)
        evaluate_s = time.perf_counter() - started
        progress("fitting the head", 0, 1)
        labels, classes = data.validation.labels, len(data.class_names)
        head = choose_logistic_regression(
            vectors, data.train.labels, validation_vectors, labels, classes, params.strengths, seed
        )
        encoder.encoder.save_pretrained(out)
        save_file(head.weights, out / "head.safetensors")
        link_model(base.path, out, ("tokenizer.json",))
        tuned = all_parameters(encoder) + sum(int(weight.size) for weight in head.weights.values())
        notes = (
            f"{steps:,} steps of {params.batch_size} pairs, {tune_s:.1f} s; {base.pooling} pooling, "
            f"logistic head {head.fit_s:.1f} s, C = {head.strength:g}",
            *length_notes(self.recipe, base, max_length),
        )
        fit = FitRecord(
            fit_s=tune_s + embed_s + head.fit_s,
            tokenise_s=tokenise_s,
            evaluate_s=evaluate_s + head.evaluate_s,
            steps=steps,
            examples=len(data.train),
            trainable_parameters=tuned,
            total_parameters=tuned,
            saved_bytes=4 * tuned,
            peak_bytes=peak_bytes(),
            precision="bf16 autocast" if bf16 else "fp32",
            curve=(head.point,),
            notes=notes,
        )
        settings = {"pooling": base.pooling, "normalise": normalise, "before": base.prefix}
        manifest = make_manifest("embedding", data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)


def make_pairs(labels: np.ndarray, iterations: int, generator: np.random.Generator) -> np.ndarray:
    """Pairs int64 (p, 3) in random order: two rows, and 1 where they are of one class, else 0.

    For each text `iterations` of either kind; a text alone in its class has only pairs of two classes, and where there
    is one class alone there are only those within it.
    """
    pairs: list[np.ndarray] = []
    rows = np.arange(len(labels))
    for row in rows:
        same = rows[(labels == labels[row]) & (rows != row)]
        other = rows[labels != labels[row]]
        for partners, alike in ((same, 1), (other, 0)):
            if len(partners):
                chosen = generator.choice(partners, iterations)
                pairs.append(np.stack([np.full(iterations, row), chosen, np.full(iterations, alike)], axis=1))
    if not pairs:
        raise NotAvailable("one training text makes no pair; contrastive tuning takes two at least")
    return generator.permutation(np.concatenate(pairs))


def _tune(
    encoder: SentenceEncoder,
    train: TokenisedSplit,
    pairs: np.ndarray,
    params: ContrastiveParams,
    device: str,
    progress: Progress,
) -> int:
    """Minimise the squared error of the pairs' cosines, in place; the steps that it took."""
    if device == "cpu":
        keep_freed_memory()
    batches = [pairs[at : at + params.batch_size] for at in range(0, len(pairs), params.batch_size)][: params.max_steps]
    trainable = dict(encoder.named_parameters())
    optimiser = make_optimiser(trainable, params)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: share_of_rate(step, len(batches), params))
    bf16 = has_fast_bf16(device)
    encoder.train()
    for step, batch in enumerate(batches, start=1):
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            loss = cosine_error(encoder, train, batch, device)
        if not torch.isfinite(loss):
            raise BenchError(
                f"training failed: the loss was {loss.item()} at step {step}; lower the learning rate "
                f"({params.learning_rate:g})"
            )
        loss.backward()
        nn.utils.clip_grad_norm_(trainable.values(), params.max_grad_norm)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        schedule.step()
        progress("training", step, len(batches))
    encoder.eval()
    return len(batches)


def cosine_error(encoder: nn.Module, train: TokenisedSplit, batch: np.ndarray, device: str) -> Tensor:
    """Mean squared error between the cosine of each pair of (b, 3) and whether its texts are of one class."""
    input_ids, attention_mask, _ = train.batch(batch[:, :2].T.ravel(), device)
    first, second = encoder(input_ids, attention_mask).float().chunk(2)
    wanted = torch.from_numpy(batch[:, 2]).to(first)
    return nn.functional.mse_loss(nn.functional.cosine_similarity(first, second), wanted)
