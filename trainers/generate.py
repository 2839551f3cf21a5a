"""Takes a language model that writes its answer, as it is: zero-shot or few-shot, with or without thinking first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from bench.classifiers.folder import save_classifier
from bench.classifiers.permitted_answers import most_tokens
from bench.classifiers.pretrained import link_model
from bench.types import Classifier, Dataset, FitRecord, Progress
from trainers.params import read_params
from trainers.shared.prompting import BuiltPrompt, build_prompt, prompt_length
from trainers.shared.questions import PromptParams, WritingParams, permitted_answers
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
        budget = f"; before it at most {think_tokens} tokens of thought" if think_tokens else ""
        fit = FitRecord(
            fit_s=0.0,
            examples=params.shots * len(data.class_names),
            trainable_parameters=0,
            saved_bytes=0,
            notes=(f"{what_is_written(params, params.max_new_tokens)}{budget}", *prompt.notes),
        )
        max_length = prompt_length(base, params.max_length, answer_tokens(settings))
        manifest = make_manifest("generate", data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)


def what_is_written(params: PromptParams, max_new_tokens: int) -> str:
    """A note on how a class comes out of what the model writes."""
    if params.constrained:
        return "constrained: only the classes' answers may be written"
    return f"writes up to {max_new_tokens} tokens; the answer is read from them"


def generate_settings(prompt: BuiltPrompt, params: WritingParams, think_tokens: int = 0) -> dict[str, Any]:
    """The settings of a `generate` classifier (bench/classifiers/generation.py)."""
    return {
        **prompt.settings,
        "answers": list(prompt.words),
        "answer_kind": params.answer_kind,
        "mention": params.mention,
        "max_new_tokens": params.max_new_tokens,
        "think_tokens": think_tokens,
        **({"permitted": permitted_answers(prompt.answers)} if params.constrained else {}),
    }


def answer_tokens(settings: dict[str, Any]) -> int:
    """Positions that a `generate` classifier's answer may take, its thought included."""
    written: int = max(settings["max_new_tokens"], most_tokens(settings.get("permitted") or [""]))
    return written + int(settings["think_tokens"])
