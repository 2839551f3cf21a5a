"""Trains a language model to write the class's answer after the prompt, and nothing else (prompt SFT)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator
from torch import Tensor, nn

from bench.classifiers.adapters import add_lora, merge_lora
from bench.classifiers.folder import save_classifier
from bench.classifiers.option_scoring import OptionsModule, longest_sequence
from bench.classifiers.pretrained import link_model, load_pretrained
from bench.types import Classifier, Dataset, Manifest, Progress
from trainers.cpu.lean_decoder import train_lean
from trainers.generate import answer_tokens, generate_settings
from trainers.loop.batches import tokenise
from trainers.loop.loop import train_module
from trainers.loop.modules import all_parameters, seed_everything, trainable_parameters
from trainers.loop.records import LoopParams
from trainers.lora import LoraSettings
from trainers.params import read_params
from trainers.shared.lengths import length_notes
from trainers.shared.prompting import build_prompt, end_of_answer, prompt_length
from trainers.shared.quantised import dequantise, load_quantised
from trainers.shared.questions import WritingParams
from trainers.shared.records import loop_record, make_manifest
from trainers.trainer import RecipeTrainer
from trainers.zero_shot import options_settings, read_behind


class SftParams(LoopParams, WritingParams, LoraSettings):
    """The loop's, the prompt's and the adapter's.

    weights: all of them, a low-rank update ("lora"), or that over a base in 4 bits ("qlora", Dettmers et al. 2023).
    serve: compare the answers' likelihoods ("options"), or let the model write and read its answer ("generate").
    test_curve: whether test is scored beside validation, for the table only.
    """

    weights: Literal["all", "lora", "qlora"] = "all"
    serve: Literal["options", "generate"] = "options"
    max_length: int = 512
    test_curve: bool = False

    @model_validator(mode="after")
    def _written(self) -> SftParams:
        if self.constrained and self.serve != "generate":
            raise ValueError("constrained answers are written: set serve = 'generate'")
        if self.teacher:
            raise ValueError("a teacher gives probabilities of classes, this model writes answers; leave teacher out")
        return self


class SftTrainer(RecipeTrainer):
    """The loss is on the answer's tokens only, its end included, over the whole vocabulary."""

    params_type = SftParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train and write the classifier folder."""
        params, base = read_params(self.recipe, SftParams), self.require_base()
        prompt = build_prompt(params, data, base, seed)
        settings = options_settings(base, prompt, "sum", end_of_answer(base))
        writing = generate_settings(prompt, params)
        written = answer_tokens(writing) if params.serve == "generate" else 0
        max_length = prompt_length(base, params.max_length, max(read_behind(settings), written))
        started = time.perf_counter()
        tokenizer = prompt.tokenizer(base, max_length)
        train, validation = tokenise(data.train, tokenizer), tokenise(data.validation, tokenizer)
        test = tokenise(data.test, tokenizer) if params.test_curve else None
        tokenise_s = time.perf_counter() - started
        seed_everything(seed)
        model = self._model(params)
        total = all_parameters(model)
        if params.weights != "all":
            model.requires_grad_(False)
            add_lora(model, params.r, params.alpha, params.dropout, _targets(model, params))
        longest = longest_sequence(max_length, settings["label_token_ids"])
        module = OptionsModule(model, settings["label_token_ids"], "sum", longest=longest)
        if params.weights != "qlora":
            module.check_outputs()
        train_lean(module, self.place.device)
        trainable = trainable_parameters(module)
        outcome = train_module(module, train, validation, params, seed, self.place, progress, answer_loss, test)
        if params.weights != "all":
            model = merge_lora(dequantise(model))
        model.save_pretrained(out)
        link_model(base.path, out, _but_weights(base.path))
        prompt.save(out)
        fit = loop_record(
            outcome,
            len(train),
            tokenise_s,
            trainable,
            total,
            4 * trainable,
            (_note(params), *prompt.notes, *length_notes(self.recipe, base, max_length)),
        )
        if params.serve == "generate":
            settings = writing
        manifest: Manifest = make_manifest(params.serve, data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)

    def _model(self, params: SftParams) -> Any:
        from transformers import AutoModelForCausalLM

        base = self.require_base()
        if params.weights == "qlora":
            return load_quantised(AutoModelForCausalLM, base.path, self.place.device)
        return load_pretrained(AutoModelForCausalLM, base.path, base.name)


def answer_loss(module: nn.Module, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> Tensor:
    """Minus the log-likelihood of each text's true answer, summed over the batch, nats."""
    scores: Tensor = module.log_likelihoods(input_ids, attention_mask)  # type: ignore[operator]
    return -scores.gather(1, labels.unsqueeze(1)).sum()


def _targets(model: Any, params: SftParams) -> list[str]:
    targets: list[str] = params.of(model)["targets"]
    return targets


def _but_weights(folder: Path) -> list[str]:
    names = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    return [name for name in names if (folder / name).exists()]


def _note(params: SftParams) -> str:
    what = {
        "all": "all weights",
        "lora": f"LoRA r {params.r}, merged",
        "qlora": f"LoRA r {params.r} over 4-bit weights, merged into what those 4 bits stand for",
    }[params.weights]
    return f"loss on the answer only; {what}; answered by {params.serve}"
