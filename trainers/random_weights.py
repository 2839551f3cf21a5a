"""Builds a published architecture with random weights: what it answers means nothing, how fast it answers is true."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Literal

from bench.classifiers.folder import save_classifier
from bench.errors import NotAvailable, UsageError
from bench.files.cache import link_or_copy
from bench.types import BaseWeights, Classifier, Dataset, FitRecord, Progress
from trainers.params import Params, read_params
from trainers.shared.records import make_manifest
from trainers.trainer import RecipeTrainer

STORED_BYTES = 2  # bf16
COMPUTED_BYTES = 4  # every engine starts from fp32, the reference stays there
ROOM_BYTES = 2 * 10**9  # Python, torch, activations
MAX_LENGTH = 512


class RandomWeightsParams(Params):
    """A linear head on the pooled token, one on the sentence vector, or a language model that scores option letters."""

    head: Literal["linear", "options", "embedding"] = "linear"


class RandomWeightsTrainer(RecipeTrainer):
    """Trains nothing; `base` is a folder with config.json and tokenizer.json alone."""

    params_type = RandomWeightsParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Draw the weights and write the classifier; NotAvailable where they would not fit into memory or on disk."""
        import torch
        from transformers import AutoConfig

        head, base = read_params(self.recipe, RandomWeightsParams).head, self.require_base()
        config = AutoConfig.from_pretrained(base.path, num_labels=len(data.class_names))
        _check_vocabulary(base, config.vocab_size)
        auto_class = _auto_class(head)
        with torch.device("meta"):
            parameters = sum(weight.numel() for weight in auto_class.from_config(config).parameters())
        _check_room(base.name, parameters, self.place.device, out.parent)
        progress(f"drawing {parameters / 1e6:,.0f} million weights", 0, 1)
        torch.manual_seed(seed)
        auto_class.from_config(config, dtype=torch.bfloat16).save_pretrained(out)
        link_or_copy(base.path / "tokenizer.json", out / "tokenizer.json")
        notes = ("random weights of the true architecture, so no quality", base.note or "")
        fit = FitRecord(
            fit_s=0.0,
            trainable_parameters=0,
            total_parameters=parameters,
            saved_bytes=0,
            notes=tuple(filter(None, notes)),
        )
        kind, settings = _settings(head, base, data, config.hidden_size, seed, out)
        return save_classifier(out, make_manifest(kind, data, self.recipe, seed, fit, MAX_LENGTH, settings, base))


def _auto_class(head: str) -> Any:
    import transformers

    names = {
        "linear": "AutoModelForSequenceClassification",
        "options": "AutoModelForCausalLM",
        "embedding": "AutoModel",
    }
    return getattr(transformers, names[head])


def _settings(
    head: str, base: BaseWeights, data: Dataset, width: int, seed: int, out: Path
) -> tuple[Literal["sequence", "embedding", "options"], dict[str, Any]]:
    if head == "linear":
        return "sequence", {}
    if head == "options":
        from trainers.shared.prompting import build_prompt
        from trainers.shared.questions import PromptParams
        from trainers.zero_shot import options_settings

        prompt = build_prompt(PromptParams(answers="letters"), data, base, seed)
        return "options", options_settings(base, prompt, "sum")
    import torch
    from safetensors.torch import save_file

    classes = len(data.class_names)
    save_file({"0.weight": torch.randn(classes, width), "0.bias": torch.zeros(classes)}, out / "head.safetensors")
    return "embedding", {"pooling": base.pooling, "normalise": True}


def _check_vocabulary(base: BaseWeights, vocabulary: int) -> None:
    from tokenizers import Tokenizer

    size = Tokenizer.from_file(str(base.path / "tokenizer.json")).get_vocab_size(with_added_tokens=True)
    if size > vocabulary:
        raise UsageError(f"{base.name}: its tokenizer has {size:,} tokens, its embedding only {vocabulary:,}")


def _check_room(name: str, parameters: int, device: str, folder: Path) -> None:
    """Raises NotAvailable with what is needed and what is free."""
    import psutil

    needed = parameters * COMPUTED_BYTES + ROOM_BYTES
    free = {"memory": psutil.virtual_memory().available}
    if device == "cuda":
        import torch

        free["GPU memory"] = torch.cuda.mem_get_info()[0]
    for what, available in free.items():
        if needed > available:
            raise NotAvailable(
                f"{name} needs about {needed / 1e9:.0f} GB of {what} in fp32, {available / 1e9:.0f} GB are free"
            )
    on_disk = shutil.disk_usage(folder).free
    if parameters * STORED_BYTES > on_disk:
        needed_gb = parameters * STORED_BYTES / 1e9
        raise NotAvailable(f"{name} needs {needed_gb:.0f} GB on disk, {on_disk / 1e9:.0f} GB are free in {folder}")
