"""Computes how hard each training text is for a zero-shot language model: the loss of its true label."""

from __future__ import annotations

import tempfile
from hashlib import sha256
from pathlib import Path

import numpy as np
from scipy.special import log_softmax

from bench import registry
from bench.files.cache import write_whole
from bench.text.batching import pack, pad
from bench.text.tokens import load_tokenizer
from bench.types import BaseWeights, Classifier, Dataset, Progress, Recipe, Workplace

TOKEN_BUDGET = 2048
MAX_BATCH = 32
RECIPE = Recipe(id="hardness", title="zero-shot loss of the true label", method="zero-shot", role="causal")


def hardness_of_train(data: Dataset, base: BaseWeights, place: Workplace, progress: Progress) -> np.ndarray:
    """Minus the log-probability of each training text's label among the classes, nats, float64 (n,); kept in the cache.

    Perplexity in the write-ups' sense is its exponential.
    """
    parts = (data.train.fingerprint, data.prompt.model_dump_json(), base.sha256)
    key = sha256("\x1f".join(parts).encode("utf-8")).hexdigest()
    path = place.cache / "hardness" / f"{base.name}-{key[:16]}.f64"
    if path.exists():
        return np.frombuffer(path.read_bytes(), dtype=np.float64)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = registry.find("trainer", RECIPE.method)(RECIPE, base, place)
        classifier = trainer.fit(data, 0, Path(scratch), progress)
        logits = _logits(classifier, data, place.device, progress)
    log_probabilities = log_softmax(logits.astype(np.float64), axis=1)
    losses = -log_probabilities[np.arange(len(data.train)), data.train.labels]
    write_whole(path, losses.tobytes())
    return losses


def _logits(classifier: Classifier, data: Dataset, device: str, progress: Progress) -> np.ndarray:
    import torch

    from bench.classifiers.modules import load_module
    from bench.machine.precision import has_fast_bf16

    module, tokenizer = load_module(classifier).to(device), load_tokenizer(classifier)
    encoded = tokenizer.encode(data.train.texts)
    logits = np.empty((len(data.train), len(data.class_names)), dtype=np.float32)
    done = 0
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=has_fast_bf16(device)):
        for rows in pack(encoded.lengths, TOKEN_BUDGET, MAX_BATCH):
            input_ids, attention_mask = pad(encoded.ids, rows, tokenizer.pad_id)
            part = module(torch.from_numpy(input_ids).to(device), torch.from_numpy(attention_mask).to(device))
            logits[rows] = part.float().cpu().numpy()
            done += len(rows)
            progress("finding the hard texts", done, len(data.train))
    return logits
