"""Estimates how long each classifier of a plan takes: its training, and every engine's measurement.

Work is counted in tokens of the task's texts times the model's weights a token; what this machine does of it in a
second is in the calibration. Constants are seconds on the machine of benchmarks/first_run.md, scaled by how fast this
one answers a single text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.models.base import body_millions, model_for
from bench.plan.calibration import REFERENCE, Calibration, EngineSpeed, Family, families_of
from bench.plan.plan import Plan, TaskPlan
from bench.plan.tiers import Tier
from bench.types import ClassifierKind, Recipe

# Weights in the layers of the calibration models, in millions: bench/execution/calibrate.py.
CALIBRATED_MILLIONS: dict[Family, float] = {"encoder": 10.6, "decoder": 21.2, "network": 1.0}
SHORT_TOKENS, LONG_TOKENS, MIXED_TOKENS = 26.0, 112.0, 69.0  # mean texts of the calibration
UNKNOWN_MILLIONS = 85.0
# Eager, one by one, where the constants were measured; decoders were not, and are taken for as fast there as here.
REFERENCE_SINGLE_RPS: dict[Family, float] = {"encoder": 43.0, "network": 2900.0}
SAMPLED_TEXTS = 400
CJK_TOKENS_A_CHARACTER = 0.65
TOKENS_A_WORD = 1.3
PROMPT_TOKENS = 25.0  # question, options and answers around a text
WRITTEN_TOKENS = 8.0

REPORT_S = 4.0
JOB_S = 1.0  # a process, the data, the classifier's hashes
LOAD_S_A_MILLION = 0.02
SCENARIO_S = 0.5  # LoadGen beside its own duration
SINGLE_LONGER, OFFLINE_LONGER = 1.1, 1.4  # than the tier asks for, so that LoadGen finds no run too short
CONVERT_LONGER = 2.0  # than the calibration's, whose vocabulary is small; a vocabulary grows with the model
WARMUP_S = 0.7
FIT_JOB_S = 1.5
LINEAR_FIT_S, LINEAR_ROW_S = 0.6, 2.2
FRESH_S = 3.5  # a process that imports torch and transformers itself and answers a batch, for the memory
FRESH_LINEAR_S = 1.2
LOOP_DEFAULTS = {"epochs": 3, "batch_size": 32, "min_steps": 0, "evaluations": 8, "max_length": 256}
NETWORK_DEFAULTS = {"epochs": 4, "batch_size": 32, "min_steps": 150, "evaluations": 10, "max_length": 256}
ADAPTED_COST = {"lora": 0.8, "adapter": 0.9}  # of a step that moves all weights
# methods that read no training text, or take seconds
NO_STEPS = ("zero-shot", "generate", "ready-made", "static", "similarity", "pairs", "gliclass")
KINDS: dict[str, ClassifierKind] = {
    "tfidf": "linear",
    "network": "network",
    "static": "network",
    "frozen-head": "embedding",
    "contrastive": "embedding",
    "similarity": "embedding",
    "pairs": "matching",
    "gliclass": "matching",
    "zero-shot": "options",
    "sft": "options",
    "generate": "generate",
    "served": "served",
}
HEAD_KINDS: dict[str, ClassifierKind] = {"options": "options", "embedding": "embedding"}  # of random weights


@dataclass(frozen=True)
class Estimate:
    """Seconds of one classifier of a plan: `fit_s` with its start, `serve_s` of each engine that would be measured."""

    fit_s: float
    serve_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def total_s(self) -> float:
        return self.fit_s + sum(self.serve_s.values())


def kind_of(recipe: Recipe) -> ClassifierKind:
    """What kind of classifier a recipe's method makes."""
    if recipe.weights == "random":
        return HEAD_KINDS.get(recipe.params.get("head", ""), "sequence")
    return KINDS.get(recipe.method, "sequence")


def estimate(plan: Plan, task: TaskPlan, recipe: Recipe, calibrations: Mapping[Family, Calibration]) -> Estimate | None:
    """None for what cannot be told: models behind an endpoint, families that were not calibrated, random weights."""
    kind = kind_of(recipe)
    if kind == "served" or recipe.weights == "random":
        return None
    if kind == "linear":
        return _linear(plan, task)
    [family] = families_of(recipe) or ("encoder",)
    calibration = calibrations.get(family)
    if calibration is None or not (usual := calibration.of(REFERENCE)) or not usual.rates:
        return None
    work = _Work(plan, task, recipe, kind, calibration, usual)
    names = [engine.name for engine in plan.engines_of(family) if engine.backend not in ("sklearn", "endpoint")]
    return Estimate(work.fit_s(), {name: work.serve_s(name) for name in names})


def _linear(plan: Plan, task: TaskPlan) -> Estimate:
    characters = sum(map(len, task.data.train.texts))
    measured_s = sum(task.tier.min_duration_s + SCENARIO_S for _ in plan.scenarios)
    return Estimate(
        LINEAR_FIT_S + characters * 1e-6,
        {"sklearn": LINEAR_ROW_S / 2 + FRESH_LINEAR_S + measured_s * task.tier.repeats},
    )


@dataclass(frozen=True)
class _Work:
    plan: Plan
    task: TaskPlan
    recipe: Recipe
    kind: ClassifierKind
    calibration: Calibration
    usual: EngineSpeed

    @property
    def scale(self) -> float:
        """How many times the calibration model's work a token takes."""
        if self.kind == "network":
            return 1.0
        return _millions(self.recipe, self.task, self.plan) / CALIBRATED_MILLIONS[self.calibration.family]

    @property
    def pace(self) -> float:
        """How many times as long a fixed step takes here as where the constants were measured."""
        reference, here = REFERENCE_SINGLE_RPS.get(self.calibration.family), self.usual.single_rps
        return min(5.0, max(0.3, reference / here)) if reference and here else 1.0

    def tokens(self, texts: Sequence[str]) -> float:
        longest = float(self.recipe.params.get("max_length", 256))
        mean = mean_tokens(texts, longest)
        return mean + (PROMPT_TOKENS if self.kind in ("options", "generate") else 0.0)

    def fit_s(self) -> float:
        data, params = self.task.data, self.recipe.params
        start_s = (FIT_JOB_S + LOAD_S_A_MILLION * self.scale * CALIBRATED_MILLIONS[self.calibration.family]) * self.pace
        if self.recipe.method in NO_STEPS:
            return start_s
        tokens = self.tokens(data.train.texts)
        if self.recipe.method == "frozen-head":
            texts = len(data.train) + len(data.validation)
            return start_s + texts * self.at_once_s(self.usual, tokens)
        chosen = {**(NETWORK_DEFAULTS if self.kind == "network" else LOOP_DEFAULTS), **params}
        steps = self._steps(chosen)
        processed = steps * chosen["batch_size"] * tokens * ADAPTED_COST.get(self.recipe.method, 1.0)
        evaluated = chosen["evaluations"] * len(data.validation)
        fit_tokens_per_s = self.calibration.fit_tokens_per_s or LONG_TOKENS * (self.usual.long_rps or 1.0) / 3
        return start_s + processed * self.scale / fit_tokens_per_s + evaluated * self.at_once_s(self.usual, tokens)

    def _steps(self, chosen: Mapping[str, Any]) -> float:
        """Steps of batch_size texts that the training takes."""
        cut, train = self.recipe.cut, self.task.data.train
        texts = cut.per_class * len(self.task.data.class_names) if cut.per_class else cut.items or len(train)
        texts = min(texts, len(train))
        if self.recipe.method == "contrastive":  # a step reads pairs
            steps = math.ceil(2 * chosen.get("iterations", 20) * texts / chosen["batch_size"])
            return 2.0 * min(steps, chosen.get("max_steps") or steps)
        return max(chosen["epochs"] * math.ceil(texts / chosen["batch_size"]), chosen["min_steps"])

    def at_once_s(self, speed: EngineSpeed, tokens: float) -> float:
        """Seconds a text of so many tokens takes of a batch."""
        short_s, long_s = 1 / (speed.short_rps or 1.0), 1 / (speed.long_rps or 1.0)
        slope = (long_s - short_s) / (LONG_TOKENS - SHORT_TOKENS)
        return max(0.2 * short_s, short_s + slope * (tokens - SHORT_TOKENS)) * self.scale

    def alone_s(self, speed: EngineSpeed, tokens: float) -> float:
        """Seconds a text of so many tokens takes alone."""
        slope = (1 / (speed.long_rps or 1.0) - 1 / (speed.short_rps or 1.0)) / (LONG_TOKENS - SHORT_TOKENS)
        single_s = 1 / (speed.single_rps or 1.0)
        return max(0.3 * single_s, single_s + slope * (tokens - MIXED_TOKENS)) * self.scale

    def serve_s(self, engine: str) -> float:
        found = self.calibration.of(engine)
        speed = found if found and found.rates else self.usual
        tier, data = self.task.tier, self.task.data
        tokens = self.tokens(data.test.texts)
        at_once_s, alone_s = self.at_once_s(speed, tokens), self.alone_s(speed, tokens)
        if self.kind == "generate":
            alone_s += WRITTEN_TOKENS * self.alone_s(speed, 1.0)
            at_once_s += WRITTEN_TOKENS * self.at_once_s(speed, 1.0)
        millions = self.scale * CALIBRATED_MILLIONS[self.calibration.family]
        convert_s = speed.convert_s * CONVERT_LONGER * self.scale**2
        load_s = (JOB_S + LOAD_S_A_MILLION * millions) * self.pace + speed.load_s * self.scale + convert_s
        answered = tier.items_for(self.kind, len(data.test), self.recipe.weights) * at_once_s
        measured = sum(_scenario_s(scenario, tier, at_once_s, alone_s) for scenario in self.plan.scenarios)
        twice_s = min(64 * alone_s, max(0.5, 10 * alone_s))
        memory_s = FRESH_S * self.pace + load_s - convert_s
        return answered + tier.repeats * (load_s + measured + twice_s) + memory_s


def _scenario_s(scenario: str, tier: Tier, at_once_s: float, alone_s: float) -> float:
    if scenario == "server":
        return tier.server_search_s + (tier.server_confirm_s or tier.server_search_s)
    text_s = alone_s if scenario == "single" else at_once_s
    warmup_s = max(WARMUP_S, 12 * text_s)
    longer = SINGLE_LONGER if scenario == "single" else OFFLINE_LONGER
    return warmup_s + SCENARIO_S + max(tier.min_duration_s * longer, tier.queries_for(1 / text_s) * text_s)


def mean_tokens(texts: Sequence[str], longest: float) -> float:
    """About how many tokens a text has, cut at `longest`: words and CJK characters count, no tokenizer is needed."""
    sample = texts[:SAMPLED_TEXTS]
    return sum(min(longest, _tokens(text)) for text in sample) / max(1, len(sample))


def _tokens(text: str) -> float:
    wide = sum("\u2e80" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7af" for character in text)
    return 2.0 + CJK_TOKENS_A_CHARACTER * wide + TOKENS_A_WORD * len(text.split())


def _millions(recipe: Recipe, task: TaskPlan, plan: Plan) -> float:
    name = recipe.base_model
    if name is None and recipe.role is not None:
        name = model_for(recipe.role, task.data.language, plan.models)
    return (body_millions(name) if name else None) or UNKNOWN_MILLIONS


def shown_s(seconds: float) -> str:
    """ "40 s", "2 min 20 s", "1 h 40 min": a length of time for people."""
    if seconds < 90:
        return f"{max(5, round(seconds / 5) * 5)} s"
    if seconds < 300:
        minutes, rest = divmod(round(seconds / 10) * 10, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 91 else f"{minutes // 60} h {minutes % 60} min"
