"""Makes a classifier of a model that exists behind an endpoint alone: the prompt and how to read its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from bench.classifiers.folder import save_classifier
from bench.types import Classifier, Dataset, FitRecord, Progress
from trainers.params import read_params
from trainers.shared.prompting import BuiltPrompt, ask
from trainers.shared.questions import WritingParams, permitted_answers
from trainers.shared.records import make_manifest
from trainers.trainer import RecipeTrainer


class ServedParams(WritingParams):
    """The prompt's; how the endpoint is asked, and how its answer is read.

    api: chat completions, completions, or vLLM's /classify. reading: a written answer, or the logprobs of the first
    token. think_tokens: of a thought before the answer (think = "open"). max_characters: where a text
    is cut, because its tokens are counted behind the endpoint only.
    """

    api: Literal["chat", "completions", "classify"] = "chat"
    reading: Literal["written", "logprobs"] = "written"
    think_tokens: int = Field(default=512, ge=1)
    max_characters: int = Field(default=8000, ge=1)

    @model_validator(mode="after")
    def _goes_together(self) -> ServedParams:
        if self.think != "none" and (self.api != "chat" or self.reading != "written"):
            raise ValueError("a model thinks in a chat whose answer is written: api = 'chat', reading = 'written'")
        if self.constrained and (self.api == "classify" or self.reading != "written" or self.think == "open"):
            raise ValueError(
                "constrained answers are written, with no thought before: api = 'chat' or 'completions', reading = "
                "'written', think = 'none' or 'empty'"
            )
        if self.chat:
            raise ValueError("is named by api = 'chat'")
        return self


class ServedTrainer(RecipeTrainer):
    """Trains nothing and holds no weights; which model answers is the engine's to say."""

    params_type = ServedParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Write the prompt and how to read the answer as a classifier folder."""
        params = read_params(self.recipe, ServedParams)
        out.mkdir(parents=True, exist_ok=True)
        asked = None
        if params.api != "classify":
            asked = ask(params.model_copy(update={"chat": params.api == "chat"}), data, seed)
            asked.save(out)
        fit = FitRecord(
            fit_s=0.0,
            examples=params.shots * len(data.class_names),
            trainable_parameters=0,
            saved_bytes=0,
            notes=(_note(params),),
        )
        manifest = make_manifest("served", data, self.recipe, seed, fit, None, _settings(params, asked))
        return save_classifier(out, manifest)


def _note(params: ServedParams) -> str:
    ways = {
        "classify": "/classify",
        "chat": "chat completions",
        "completions": "completions",
    }
    if params.api == "classify":
        return f"asked through {ways[params.api]}"
    written = (
        "only the classes' answers may be written" if params.constrained else "the answer is read from what it writes"
    )
    read = "logprobs of the first token" if params.reading == "logprobs" else written
    return f"asked through {ways[params.api]}; {read}"


def _settings(params: ServedParams, asked: BuiltPrompt | None) -> dict[str, Any]:
    """The settings of a `served` classifier (backends/endpoint/served.py)."""
    common = {"api": params.api, "max_characters": params.max_characters}
    if asked is None:
        return common
    return {
        **common,
        "reading": params.reading,
        **asked.settings,
        "answers": list(asked.words),
        "answer_kind": params.answer_kind,
        "mention": params.mention,
        "max_new_tokens": params.max_new_tokens,
        "think": params.think,
        "think_tokens": params.think_tokens if params.think == "open" else 0,
        **({"permitted": permitted_answers(asked.answers)} if params.constrained else {}),
    }
