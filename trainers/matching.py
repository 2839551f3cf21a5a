"""Makes zero-shot classifiers of what each class means: sentence similarity, pairs for cross-encoders, GLiClass."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from bench.classifiers.folder import save_classifier
from bench.classifiers.pretrained import link_model
from bench.errors import NotAvailable, UsageError
from bench.text.prompts import reword
from bench.types import BaseWeights, Classifier, Dataset, FitRecord, Progress, Wording
from trainers.params import Params, read_params
from trainers.shared.lengths import length_notes
from trainers.shared.records import make_manifest
from trainers.trainer import RecipeTrainer

LABEL = "{label}"


class LabelParams(Params):
    """What is said of a class, the same for every text.

    label_words, descriptions: one a class or by class, instead of the suite's. says: the label word, or the description
    where the classes have one. template: the sentence around it, with {label}.
    """

    label_words: tuple[str, ...] | dict[str, str] | None = None
    descriptions: tuple[str, ...] | dict[str, str] | None = None
    says: Literal["words", "descriptions"] = "words"
    template: str = "This text is about {label}."
    max_length: int = 512

    @field_validator("template")
    @classmethod
    def _has_a_label(cls, template: str) -> str:
        if template.count(LABEL) != 1:
            raise ValueError("a template has {label} exactly once")
        return template

    def sentences(self, data: Dataset) -> list[str]:
        """One a class; raises UsageError where two classes would say the same, or a description is missing."""
        own = Wording(label_words=self.label_words, descriptions=self.descriptions)
        prompt = reword(data.prompt, own, data.class_names)
        said = prompt.descriptions if self.says == "descriptions" else prompt.label_words
        if not said or not all(each.strip() for each in said):
            raise UsageError("says = 'descriptions' needs one for each class: --descriptions CLASS=TEXT")
        if len({each.strip() for each in said}) < len(data.class_names):
            raise UsageError("two classes have the same words; give each its own: --label-words CLASS=WORD")
        return [self.template.replace(LABEL, each.strip()) for each in said]


class SimilarityParams(LabelParams):
    """And what cosines are multiplied with before the softmax; it orders no classes, confidence depends on it."""

    scale: float = Field(default=20.0, gt=0.0)
    max_length: int = 256


class SimilarityTrainer(RecipeTrainer):
    """The nearest class sentence by cosine: an encoder, and the classes' vectors as its head."""

    params_type = SimilarityParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Read the classes' sentences and write the classifier folder; no text of the task is read."""
        from safetensors.numpy import save_file

        from bench.text.tokens import TextTokenizer
        from trainers.loop.batches import TokenisedSplit
        from trainers.shared.vectors import embed, sentence_encoder, stored_parameters

        params, base = read_params(self.recipe, SimilarityParams), self.require_base()
        if base.no_vectors:
            raise NotAvailable(f"{base.name}: {base.no_vectors}")
        sentences, max_length = params.sentences(data), min(params.max_length, base.max_length)
        started = time.perf_counter()
        tokenizer = TextTokenizer.from_file(base.path / "tokenizer.json", max_length, before=base.prefix)
        encoded = tokenizer.encode(sentences)
        tokens = TokenisedSplit(encoded.ids, encoded.lengths, np.zeros(len(sentences), np.int64), tokenizer.pad_id)
        vectors = embed(sentence_encoder(base, normalise=True), tokens, "cpu", False, progress)
        link_model(base.path, out)
        weights: dict[str, np.ndarray] = {
            "0.weight": params.scale * vectors,
            "0.bias": np.zeros(len(sentences), np.float32),
        }
        save_file(weights, out / "head.safetensors")
        fit = FitRecord(
            fit_s=time.perf_counter() - started,
            trainable_parameters=0,
            total_parameters=stored_parameters(base) + vectors.size,
            saved_bytes=(out / "head.safetensors").stat().st_size,
            notes=(_said(sentences), *length_notes(self.recipe, base, max_length)),
        )
        settings = {"pooling": base.pooling, "normalise": True, "before": base.prefix}
        manifest = make_manifest("embedding", data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)


class PairsParams(LabelParams):
    """And which of both stands first, and which output speaks for the class where its name does not say it.

    Models of entailment read the text, then the sentence; rerankers the query, then the passage.
    """

    first: Literal["text", "label"] = "text"
    column: int | None = Field(default=None, ge=0)


class PairsTrainer(RecipeTrainer):
    """A cross-encoder reads each text beside each class's sentence; as many passes a text as there are classes."""

    params_type = PairsParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Write the model and the classes' tokens as a classifier folder; raises NotAvailable for other models."""
        from transformers import AutoModelForSequenceClassification

        from bench.classifiers.pretrained import load_finished

        params, base = read_params(self.recipe, PairsParams), self.require_base()
        sentences = params.sentences(data)
        progress("reading the classes", 0, 1)
        model, _ = load_finished(AutoModelForSequenceClassification, base.path, base.name)
        column = speaking_column(model.config, base.name, params.column)
        frames, lead, trail = pair_frames(base, sentences, params.first)
        longest = max(len(frame["before"]) + len(frame["after"]) for frame in frames)
        wanted = min(params.max_length, base.max_length)
        max_length = wanted - longest + lead + trail
        if max_length < lead + trail + 8:
            raise UsageError(f"the classes' sentences leave no room for a text in {wanted} tokens; shorten them")
        link_model(base.path, out)
        passes = f"{len(sentences)} passes a text, {params.first} first, output {column}; {_said(sentences)}"
        fit = _untrained(model, passes, *length_notes(self.recipe, base, wanted))
        settings = {"reads": "pairs", "frames": frames, "lead": lead, "trail": trail, "column": column}
        manifest = make_manifest("matching", data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)


class GliclassParams(LabelParams):
    """The labels as they stand, as its package gives them."""

    template: str = LABEL


class GliclassTrainer(RecipeTrainer):
    """GLiClass reads all labels and the text in one pass, in the order of its config."""

    params_type = GliclassParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Write the model and the labels as a classifier folder."""
        from bench.classifiers.matching import load_gliclass

        params, base = read_params(self.recipe, GliclassParams), self.require_base()
        progress("reading the classes", 0, 1)
        sentences = params.sentences(data)
        model = load_gliclass(base.path)
        max_length = min(params.max_length, base.max_length)
        link_model(base.path, out)
        fit = _untrained(model, _said(sentences), *length_notes(self.recipe, base, max_length))
        labels = "".join(f"<<LABEL>>{sentence}" for sentence in sentences) + "<<SEP>>"
        settings = {"reads": "labels", "before" if model.config.prompt_first else "after": labels}
        manifest = make_manifest("matching", data, self.recipe, seed, fit, max_length, settings, base)
        return save_classifier(out, manifest)


def _untrained(model: Any, *notes: str) -> FitRecord:
    """The record of a model that is taken as it is."""
    total = sum(weight.numel() for weight in model.parameters())
    return FitRecord(fit_s=0.0, trainable_parameters=0, total_parameters=total, saved_bytes=0, notes=notes)


def _said(sentences: list[str]) -> str:
    return f"nothing was trained; classes: {' | '.join(sentences)}"


def speaking_column(config: Any, name: str, wanted: int | None) -> int:
    """The output that says that a text is of a class; raises UsageError where neither names nor `wanted` tell."""
    labels = [str(config.id2label[at]) for at in sorted(config.id2label)]
    if wanted is not None:
        if wanted >= len(labels):
            raise UsageError(f"column = {wanted}: {name} has {len(labels)} outputs ({', '.join(labels)})")
        return wanted
    found = [at for at, label in enumerate(labels) if label.lower().startswith("entail")]
    if len(labels) == 1 or len(found) == 1:
        return found[0] if found else 0
    raise UsageError(
        f"{name} has the outputs {', '.join(labels)}, none named entailment; say which speaks for a class: "
        "--set column=0"
    )


def pair_frames(
    base: BaseWeights, sentences: list[str], first: Literal["text", "label"]
) -> tuple[list[dict[str, Any]], int, int]:
    """The tokens around a text in its pair with each sentence, and how many stand before and after a text alone."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(base.path / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    alone = [at for at, part in enumerate(tokenizer.encode("a").sequence_ids) if part is not None]
    lead, trail = alone[0], len(tokenizer.encode("a").ids) - alone[-1] - 1
    frames = []
    for sentence in sentences:
        pair = ("a", sentence) if first == "text" else (sentence, "a")
        encoding = tokenizer.encode(*pair)
        text = [at for at, part in enumerate(encoding.sequence_ids) if part == int(first == "label")]
        frames.append(
            {
                "before": encoding.ids[: text[0]],
                "after": encoding.ids[text[-1] + 1 :],
                "before_types": encoding.type_ids[: text[0]],
                "after_types": encoding.type_ids[text[-1] + 1 :],
                "text_type": encoding.type_ids[text[0]],
            }
        )
    return frames, lead, trail
