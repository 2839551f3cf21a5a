"""Zero-shot by option likelihood: nothing is trained, a prompt and label words make the classifier."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.artifacts import link_or_copy, save_classifier
from bench.prompts import label_token_ids, prompt_halves
from bench.types import BaseWeights, Classifier, Dataset, FitRecord, Manifest, Progress, Recipe
from trainers.full_finetune import require_base
from trainers.params import Params, read_params

# What stands in for a text in contextual calibration (Zhao et al. 2021, section 5).
CONTENT_FREE = ("N/A", "[MASK]", "")
OPTIONAL_FILES = ("generation_config.json", "tokenizer_config.json", "chat_template.jinja")


class ZeroShotParams(Params):
    """How label words are compared, and how many tokens prompt and text have together."""

    normalisation: Literal["sum", "per-token", "calibrated"] = "calibrated"
    max_length: int = 512


class ZeroShotTrainer:
    """Calibration reads content-free prompts only, no text of the task."""

    def __init__(self, recipe: Recipe, base: BaseWeights | None, device: str, threads: int, cache: Path) -> None:
        self.recipe = recipe
        self.base = base

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Write the base model, the prompt and the label words as a classifier folder."""
        base = require_base(self.base, self.recipe)
        params = read_params(self.recipe, ZeroShotParams)
        max_length = min(params.max_length, base.max_length)
        before, after = prompt_halves(data.prompt)
        words = label_token_ids(data.prompt, base.path / "tokenizer.json")
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            link_or_copy(base.path / name, out / name)
        for name in OPTIONAL_FILES:
            if (base.path / name).exists():
                link_or_copy(base.path / name, out / name)
        settings: dict[str, Any] = {
            "before": before,
            "after": after,
            "label_token_ids": words,
            "normalisation": params.normalisation,
        }
        started = time.perf_counter()
        progress("reading the prompt", 0, 1)
        total, content_free = _calibrate(base, settings, max_length)
        if params.normalisation == "calibrated":
            settings["content_free"] = content_free
        manifest = Manifest(
            kind="options",
            class_names=data.class_names,
            language=data.language,
            max_length=max_length,
            recipe=self.recipe,
            seed=seed,
            base_model=base.name,
            base_origin=base.origin,
            data_fingerprint=data.fingerprint,
            settings=settings,
            fit=FitRecord(
                fit_s=time.perf_counter() - started if params.normalisation == "calibrated" else 0.0,
                examples=0,
                trainable_parameters=0,
                total_parameters=total,
                notes=(f"label words: {', '.join(data.prompt.label_words)}; {params.normalisation}",),
            ),
        )
        return save_classifier(out, manifest)


def _calibrate(base: BaseWeights, settings: dict[str, Any], max_length: int) -> tuple[int, list[float]]:
    """The model's number of weights, and the mean log-likelihood of every label word after content-free prompts."""
    import torch
    from transformers import AutoModelForCausalLM

    from bench.batching import pad
    from bench.modules import OptionsModule, load_pretrained
    from bench.tokens import TextTokenizer

    model = load_pretrained(AutoModelForCausalLM, base.path).eval()
    module = OptionsModule(model, settings["label_token_ids"], "sum")
    tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", max_length, settings["before"], settings["after"])
    encoded = tokenizer.encode(CONTENT_FREE)
    scores = []
    with torch.inference_mode():
        for row in range(len(CONTENT_FREE)):
            input_ids, attention_mask = pad(encoded.ids, np.array([row]), tokenizer.pad_id)
            scores.append(module(torch.from_numpy(input_ids), torch.from_numpy(attention_mask))[0])
    total = sum(weight.numel() for weight in model.parameters())
    return total, torch.stack(scores).mean(dim=0).tolist()
