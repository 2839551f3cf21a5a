"""Trains a head on a frozen encoder: sentence vectors are computed once and kept on disk."""

from __future__ import annotations

import time
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from bench.classifiers.folder import save_classifier
from bench.classifiers.pretrained import link_model
from bench.errors import NotAvailable
from bench.files.cache import write_whole
from bench.types import BaseWeights, Classifier, Dataset, FitRecord, Manifest, Progress, Split
from trainers.params import Params, read_params
from trainers.shared.lengths import length_notes
from trainers.trainer import RecipeTrainer


class FrozenHeadParams(Params):
    """The head, and strengths (inverse regularisation) of it to choose from; tokens of a text that are read.

    normalise: whether vectors are brought to length 1; None as the base model says, and yes where it does not.
    epochs, batch_size, learning_rate: of the small network (head = "mlp"); None is scikit-learn's own.
    """

    head: Literal["logistic", "mlp"] = "logistic"
    hidden: int = 256
    strengths: tuple[float, ...] = (1.0, 10.0, 100.0)
    max_length: int = 256
    normalise: bool | None = None
    epochs: int | None = Field(default=None, ge=1)
    batch_size: int | None = Field(default=None, ge=1)
    learning_rate: float | None = Field(default=None, gt=0.0)

    @property
    def steps(self) -> dict[str, Any]:
        """What is given of how the small network is trained."""
        given = {name: getattr(self, name) for name in ("epochs", "batch_size", "learning_rate")}
        return {name: value for name, value in given.items() if value is not None}

    @model_validator(mode="after")
    def _a_network_is_trained_in_steps(self) -> FrozenHeadParams:
        if self.steps and self.head != "mlp":
            raise ValueError(f"{', '.join(self.steps)}: logistic regression is not trained in steps; set head = 'mlp'")
        return self


class FrozenHeadTrainer(RecipeTrainer):
    """The vectors' cache key covers the base's files, its settings, precision, every text, code and versions."""

    params_type = FrozenHeadParams

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Embed train and validation, fit the head, write the classifier folder."""
        from safetensors.numpy import save_file

        from trainers.shared.heads import choose_logistic_regression, choose_mlp
        from trainers.shared.vectors import stored_parameters

        base = self.require_base()
        params = read_params(self.recipe, FrozenHeadParams)
        if base.no_vectors:
            raise NotAvailable(f"{base.name}: {base.no_vectors}")
        normalise = (base.normalise is not False) if params.normalise is None else params.normalise
        max_length = min(params.max_length, base.max_length)
        vectors, train_s = self._vectors(data.train, base, max_length, normalise, progress)
        validation_vectors, validation_s = self._vectors(data.validation, base, max_length, normalise, progress)
        embed_s = train_s + validation_s
        progress("fitting the head", 0, 1)
        fixed = (vectors, data.train.labels, validation_vectors, data.validation.labels, len(data.class_names))
        if params.head == "mlp":
            head = choose_mlp(*fixed, params.strengths, params.hidden, seed, **params.steps)
        else:
            head = choose_logistic_regression(*fixed, params.strengths, seed)
        link_model(base.path, out)
        save_file(head.weights, out / "head.safetensors")
        parameters = sum(int(weight.size) for weight in head.weights.values())
        manifest = Manifest(
            kind="embedding",
            class_names=data.class_names,
            language=data.language,
            max_length=max_length,
            recipe=self.recipe,
            seed=seed,
            base_model=base.name,
            base_origin=base.origin,
            data_fingerprint=data.fingerprint,
            settings={"pooling": base.pooling, "normalise": normalise, "before": base.prefix},
            fit=FitRecord(
                fit_s=embed_s + head.fit_s,
                evaluate_s=head.evaluate_s,
                examples=len(data.train),
                trainable_parameters=parameters,
                total_parameters=parameters + stored_parameters(base),
                saved_bytes=(out / "head.safetensors").stat().st_size,
                curve=(head.point,),
                notes=(
                    f"{base.pooling} pooling, {'normalised' if normalise else 'not normalised'}; at most {max_length} "
                    f"tokens; vectors {embed_s:.1f} s, whichever row made them, {params.head} head {head.fit_s:.1f} s, "
                    f"C = {head.strength:g}",
                    *length_notes(self.recipe, base, max_length),
                ),
            ),
        )
        return save_classifier(out, manifest)

    def _vectors(
        self, split: Split, base: BaseWeights, max_length: int, normalise: bool, progress: Progress
    ) -> tuple[np.ndarray, float]:
        """Sentence vectors float32 (n, d), from the cache or computed and kept there, and the seconds they took.

        The seconds are kept with the vectors: every row that needs them is charged, not only the first.
        """
        from safetensors.numpy import load, save

        from bench.machine.precision import has_fast_bf16
        from bench.text.tokens import TextTokenizer
        from trainers.loop.batches import tokenise
        from trainers.shared.vectors import embed, sentence_encoder

        bf16 = has_fast_bf16(self.place.device)
        key = _cache_key(split, base, max_length, normalise, bf16)
        path = self.place.cache / "vectors" / f"{Path(base.name).name}-{key[:16]}.safetensors"
        if path.exists():
            cached = load(path.read_bytes())
            return cached["vectors"], float(cached["seconds"][0])
        started = time.perf_counter()
        tokens = tokenise(split, TextTokenizer.from_file(base.path / "tokenizer.json", max_length, before=base.prefix))
        vectors = embed(sentence_encoder(base, normalise), tokens, self.place.device, bf16, progress)
        seconds = time.perf_counter() - started
        write_whole(path, save({"vectors": vectors, "seconds": np.array([seconds])}))
        return vectors, seconds


def _cache_key(split: Split, base: BaseWeights, max_length: int, normalise: bool, bf16: bool) -> str:
    settings = (base.sha256, base.pooling, base.prefix, str(max_length), str(normalise), str(bf16), split.fingerprint)
    versions = (f"{package} {version(package)}" for package in ("torch", "transformers", "tokenizers"))
    return sha256("\x1f".join((*settings, *versions, _hash_code())).encode("utf-8")).hexdigest()


@cache
def _hash_code() -> str:
    """Over the source of what makes a vector of a text."""
    from bench.classifiers import body, embedding, pretrained
    from bench.text import batching, tokens
    from trainers.loop import batches
    from trainers.shared import vectors

    digest = sha256(Path(__file__).read_bytes())
    for module in (body, embedding, pretrained, batching, tokens, batches, vectors):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()
