"""Makes a classifier of option likelihoods, zero-shot or few-shot: nothing is trained."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from bench.classifiers.folder import save_classifier
from bench.classifiers.option_scoring import TAKEN_AWAY
from bench.classifiers.pretrained import link_model
from bench.types import BaseWeights, Classifier, Dataset, FitRecord, Progress
from trainers.params import read_params
from trainers.shared.prompting import BuiltPrompt, build_prompt, continuation_ids, prompt_length, shared_prefix_ids
from trainers.shared.questions import PromptParams
from trainers.shared.records import make_manifest
from trainers.trainer import RecipeTrainer

# What stands in for a text in contextual calibration (Zhao et al. 2021, section 5).
CONTENT_FREE = ("N/A", "[MASK]", "")
ONE_BY_ONE = "each answer is read behind a prompt of its own: the model's layers take no mask for all in one pass"


class ZeroShotParams(PromptParams):
    """The prompt's; how answers are compared (option_scoring.py), and how many tokens prompt and text have together."""

    normalisation: Literal["sum", "per-token", "calibrated", "pmi"] = "calibrated"
    max_length: int = 512

    @model_validator(mode="after")
    def _scored(self) -> ZeroShotParams:
        if self.constrained:
            raise ValueError("likelihoods of all answers are compared, nothing is written: take method = 'generate'")
        return self


class ZeroShotTrainer(RecipeTrainer):
    """Calibration reads content-free prompts only, no text of the task; only examples (`shots`) are from train."""

    params_type = ZeroShotParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Write the base model, the prompt and the answers as a classifier folder."""
        base, params = self.require_base(), read_params(self.recipe, ZeroShotParams)
        prompt = build_prompt(params, data, base, seed)
        link_model(base.path, out)
        prompt.save(out)
        settings = options_settings(base, prompt, params.normalisation)
        max_length = prompt_length(base, params.max_length, read_behind(settings))
        started = time.perf_counter()
        progress("reading the prompt", 0, 1)
        total, content_free, as_tree = _calibrate(base, settings, prompt, params.normalisation, max_length)
        if content_free is not None:
            settings["content_free"] = content_free
        fit = FitRecord(
            fit_s=time.perf_counter() - started if content_free is not None else 0.0,
            examples=params.shots * len(data.class_names),
            trainable_parameters=0,
            total_parameters=total,
            saved_bytes=0,
            notes=(
                f"answers: {', '.join(map(str.strip, prompt.answers))}; {params.normalisation}",
                *(() if as_tree else (ONE_BY_ONE,)),
                *prompt.notes,
            ),
        )
        manifest = make_manifest("options", data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)


def read_behind(settings: dict[str, Any]) -> int:
    """Tokens of the longest answer that the model reads: all but its last."""
    return max(map(len, settings["label_token_ids"])) - 1


def options_settings(base: BaseWeights, prompt: BuiltPrompt, normalisation: str, end: str = "") -> dict[str, Any]:
    """The settings of an `options` classifier, without what calibration takes away."""
    tokenizer_json = base.path / "tokenizer.json"
    return {
        **prompt.settings,
        "label_token_ids": continuation_ids(tokenizer_json, prompt, end),
        "normalisation": normalisation,
        "prefix_ids": shared_prefix_ids(tokenizer_json, prompt.before),
    }


def _calibrate(
    base: BaseWeights, settings: dict[str, Any], prompt: BuiltPrompt, normalisation: str, max_length: int
) -> tuple[int, list[float] | None, bool]:
    """The model's number of weights, the mean log-likelihood of every answer after prompts without a text (None where
    nothing is taken away), and whether all answers are read in one pass.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from bench.classifiers.option_scoring import OptionsModule, longest_sequence
    from bench.classifiers.pretrained import load_pretrained
    from bench.text.batching import pad
    from bench.text.tokens import TextTokenizer

    model = load_pretrained(AutoModelForCausalLM, base.path, base.name).eval()
    total = sum(weight.numel() for weight in model.parameters())
    longest = longest_sequence(max_length, settings["label_token_ids"])
    module = OptionsModule(model, settings["label_token_ids"], "sum", longest=longest)
    module.check_outputs()
    one_pass = module.as_tree or not module.branches
    if normalisation not in TAKEN_AWAY:
        return total, None, one_pass
    if normalisation == "pmi":
        tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", max_length)
        encoded = tokenizer.encode([prompt.premise])
    else:
        tokenizer = prompt.tokenizer(base, max_length)
        encoded = tokenizer.encode(CONTENT_FREE)
    scores = []
    with torch.inference_mode():
        for row in range(len(encoded.ids)):
            input_ids, attention_mask = pad(encoded.ids, np.array([row]), tokenizer.pad_id)
            scores.append(module(torch.from_numpy(input_ids), torch.from_numpy(attention_mask))[0])
    return total, torch.stack(scores).mean(dim=0).tolist(), one_pass
