"""A language model that writes its answer, as it is: zero-shot or few-shot, with or without thinking first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from bench.classifiers.folder import save_classifier
from bench.classifiers.pretrained import link_model
from bench.types import Classifier, Dataset, FitRecord, Progress
from trainers.params import read_params
from trainers.shared.prompting import BuiltPrompt, build_prompt, prompt_length
from trainers.shared.questions import WritingParams
from trainers.shared.records import make_manifest
from trainers.trainer import RecipeTrainer


class GenerateParams(WritingParams):
    """The prompt's, and how many tokens the model may think before it answers (think = "open")."""

    think_tokens: int = Field(default=256, ge=1)
    max_length: int = 512


class GenerateTrainer(RecipeTrainer):
    """Trains nothing: the prompt and how to read the answer make the classifier."""

    params_type = GenerateParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Write the base model, the prompt and the answers as a classifier folder."""
        base, params = self.require_base(), read_params(self.recipe, GenerateParams)
        prompt = build_prompt(params, data, base, seed)
        link_model(base.path, out)
        prompt.save(out)
        think_tokens = params.think_tokens if params.think == "open" else 0
        settings = generate_settings(prompt, params, think_tokens)
        budget = f", after at most {think_tokens} tokens of thought" if think_tokens else ""
        fit = FitRecord(
            fit_s=0.0,
            examples=params.shots * len(data.class_names),
            trainable_parameters=0,
            saved_bytes=0,
            notes=(f"writes up to {params.max_new_tokens} tokens{budget}; the answer is read from them", *prompt.notes),
        )
        max_length = prompt_length(base, params.max_length, params.max_new_tokens + think_tokens)
        manifest = make_manifest("generate", data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)


def generate_settings(prompt: BuiltPrompt, params: WritingParams, think_tokens: int = 0) -> dict[str, Any]:
    """The settings of a `generate` classifier (bench/classifiers/generation.py)."""
    return {
        **prompt.settings,
        "answers": list(prompt.words),
        "answer_kind": params.answers,
        "mention": params.mention,
        "max_new_tokens": params.max_new_tokens,
        "think_tokens": think_tokens,
    }
