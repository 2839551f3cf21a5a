"""Trains the same fine-tune with transformers' own Trainer, as most write-ups do: a yardstick for the plain loop."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset

from bench.classifiers.adapters import add_lora, merge_lora
from bench.classifiers.folder import save_classifier
from bench.classifiers.pretrained import link_model
from bench.errors import BenchError, UsageError
from bench.machine.precision import has_fast_bf16
from bench.text.tokens import TextTokenizer
from bench.types import Classifier, CurvePoint, Dataset, Progress, Workplace
from trainers.loop.batches import TokenisedSplit, tokenise
from trainers.loop.checkpoints import Checkpoints
from trainers.loop.evaluate import curve_point
from trainers.loop.losses import LossParams
from trainers.loop.modules import all_parameters, trainable_parameters
from trainers.loop.records import LoopOutcome
from trainers.lora import LoraSettings
from trainers.params import read_params
from trainers.shared.records import loop_record, make_manifest
from trainers.shared.sequence import SequenceParams, load_for_classes, text_length
from trainers.trainer import RecipeTrainer


class LibraryParams(SequenceParams, LoraSettings):
    """A fine-tune's; weights: all of them, or a low-rank update that is merged when training ends."""

    weights: Literal["all", "lora"] = "all"


class LibraryTrainer(RecipeTrainer):
    """Batches grouped by length, bf16 where it is fast; the loss is the model's own, so loss parameters are refused."""

    params_type = LibraryParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train on all of data.train and write the classifier folder."""
        params, base = read_params(self.recipe, LibraryParams), self.require_base()
        _refuse(params)
        max_length = text_length(base, params.max_length, 0)
        started = time.perf_counter()
        tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", max_length, before=base.prefix)
        train, validation = tokenise(data.train, tokenizer), tokenise(data.validation, tokenizer)
        tokenise_s = time.perf_counter() - started
        torch.manual_seed(seed)
        model, fresh = load_for_classes(base, len(data.class_names))
        model.config.pad_token_id = train.pad_id  # a decoder's own forward finds the last token by it
        total = all_parameters(model)
        notes = _adapt(model, params, fresh) if params.weights == "lora" else ()
        trainable = trainable_parameters(model)
        outcome = _train(model, train, validation, params, seed, self.place, progress)
        if params.weights == "lora":
            model = merge_lora(model)
        model.save_pretrained(out)
        link_model(base.path, out, ("tokenizer.json",))
        fit = loop_record(outcome, len(train), tokenise_s, trainable, total, 4 * trainable, notes)
        settings: dict[str, Any] = {"before": base.prefix} if base.prefix else {}
        manifest = make_manifest("sequence", data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)


def _adapt(model: Any, params: LibraryParams, fresh: set[str]) -> tuple[str, ...]:
    """Put LoRA into the model, in place; layers that the base has no weights for are trained whole."""
    settings = params.of(model)
    model.requires_grad_(False)
    add_lora(model, params.r, params.alpha, params.dropout, settings["targets"])
    for name, weight in model.named_parameters():
        if name in fresh:
            weight.requires_grad_(True)
    return (f"LoRA on {', '.join(settings['targets'])}, r {params.r}, alpha {params.alpha}; merged",)


def _refuse(params: LibraryParams) -> None:
    """What this trainer cannot do is an error, never silence."""
    plain = LossParams()
    if params.weights != "lora":
        for name in LoraSettings.model_fields:
            if getattr(params, name) != LoraSettings.model_fields[name].default:
                raise UsageError(f"{name} is LoRA's: set weights = 'lora'")
    changed = [name for name in LossParams.model_fields if getattr(params, name) != getattr(plain, name)]
    for name in (*changed, *(["test_curve"] if params.test_curve else []), *(["patience"] if params.patience else [])):
        raise UsageError(f"{name} is not for the library Trainer; use the method full-finetune")


def _train(
    model: Any,
    train: TokenisedSplit,
    validation: TokenisedSplit,
    params: SequenceParams,
    seed: int,
    place: Workplace,
    progress: Progress,
) -> LoopOutcome:
    """Run the Trainer with checkpoints in place.checkpoint, from which an interrupted training goes on."""
    from transformers import Trainer

    steps_of_epoch = math.ceil(len(train) / params.batch_size)
    steps = max(params.epochs * steps_of_epoch, params.min_steps)
    spent = Checkpoints(place.checkpoint)
    started = time.perf_counter() - spent.spent_s()  # an interrupted training goes on, and so does its clock
    with tempfile.TemporaryDirectory() as scratch:
        folder = place.checkpoint or Path(scratch)
        trainer = Trainer(
            model=model,
            args=_arguments(params, place.device, folder, steps, seed),
            train_dataset=_Rows(train),
            eval_dataset=_Rows(validation),
            data_collator=_Collator(train.pad_id),
            compute_metrics=_score,
            callbacks=[_follower(progress, spent, started, steps)],
        )
        going_on = any(folder.glob("checkpoint-*"))
        trainer.train(resume_from_checkpoint=going_on or None)
    wall_s = time.perf_counter() - started
    state = trainer.state
    bf16 = has_fast_bf16(place.device)
    return _outcome(state.log_history, steps, steps_of_epoch, wall_s, bf16, state.best_global_step)


def _arguments(params: SequenceParams, device: str, folder: Path, steps: int, seed: int) -> Any:
    """The recipe in the Trainer's words: evaluated, saved and logged at the same steps, the best checkpoint kept."""
    from transformers import TrainingArguments

    every = max(1, math.ceil(steps / params.evaluations))
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=max(1, params.batch_size // params.accumulation),
        gradient_accumulation_steps=params.accumulation,
        per_device_eval_batch_size=64,
        learning_rate=params.learning_rate,
        lr_scheduler_type=params.schedule,
        warmup_steps=_warmup_steps(params, steps),
        weight_decay=params.weight_decay,
        max_grad_norm=params.max_grad_norm,
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        gradient_checkpointing=params.gradient_checkpointing,
        bf16=has_fast_bf16(device),
        use_cpu=device == "cpu",
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=every,
        save_steps=every,
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="f1",
        logging_strategy="steps",
        logging_steps=every,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        report_to=[],
        disable_tqdm=True,
        seed=seed,
        data_seed=seed,
    )


def _follower(progress: Progress, spent: Checkpoints, started: float, steps: int) -> Any:
    """A callback that shows how far the Trainer is, and notes the time for the case of an interruption."""
    from transformers import TrainerCallback

    class Follow(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress("training", state.global_step, steps)
            spent.note_spent(time.perf_counter() - started)

    return Follow()


def _score(answers: Any) -> dict[str, float]:
    point = curve_point(0, 0.0, None, answers.predictions, answers.label_ids)
    return point.model_dump(include={"accuracy", "precision", "recall", "f1"})


def _warmup_steps(params: SequenceParams, steps: int) -> int:
    return params.warmup_steps if params.warmup_steps is not None else round(params.warmup_share * steps)


def _outcome(
    history: list[dict[str, Any]], steps: int, steps_of_epoch: int, wall_s: float, bf16: bool, best_step: int | None
) -> LoopOutcome:
    """The loop's record from the Trainer's log; raises BenchError when no evaluation was finite."""
    losses = {entry["step"]: entry["loss"] for entry in history if "loss" in entry}
    evaluations = [entry for entry in history if "eval_f1" in entry]
    curve = tuple(_point(entry, losses.get(entry["step"]), steps_of_epoch) for entry in evaluations)
    evaluate_s = sum(entry.get("eval_runtime", 0.0) for entry in evaluations)
    if not curve or not math.isfinite(curve[-1].validation_loss or 0.0):
        raise BenchError("training failed: the validation loss is not finite; lower the learning rate")
    return LoopOutcome(
        fit_s=wall_s - evaluate_s,
        evaluate_s=evaluate_s,
        steps=steps,
        chosen_step=best_step or curve[-1].step,
        epochs=steps / steps_of_epoch,
        precision="bf16 autocast" if bf16 else "fp32",
        curve=curve,
        notes=("trained by transformers.Trainer; training time covers all steps, interrupted ones included",),
    )


def _point(entry: dict[str, Any], training_loss: float | None, steps_of_epoch: int) -> CurvePoint:
    return CurvePoint(
        step=entry["step"],
        epoch=entry["step"] / steps_of_epoch,
        training_loss=training_loss,
        validation_loss=entry["eval_loss"],
        **{name: entry[f"eval_{name}"] for name in ("accuracy", "precision", "recall", "f1")},
    )


class _Rows(TorchDataset):
    """A tokenised split as the Trainer reads one: a dict a text."""

    def __init__(self, split: TokenisedSplit) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, row: int) -> dict[str, Any]:
        ids = self.split.ids[row]
        return {"input_ids": ids, "labels": int(self.split.labels[row]), "length": len(ids)}


class _Collator:
    """Pads a batch on the right to its longest text."""

    def __init__(self, pad_id: int) -> None:
        self.pad_id = pad_id

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        from bench.text.batching import pad

        input_ids, attention_mask = pad([row["input_ids"] for row in rows], np.arange(len(rows)), self.pad_id)
        return {
            "input_ids": torch.from_numpy(input_ids),
            "attention_mask": torch.from_numpy(attention_mask),
            "labels": torch.tensor([row["labels"] for row in rows]),
        }
