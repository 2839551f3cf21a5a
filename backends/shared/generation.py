"""Serves `generate` classifiers: texts in, written answers out, read into labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

import numpy as np
import torch
from torch import nn

from backends.shared.answers import certain
from backends.shared.batched import BatchLimits, batching_details
from backends.shared.torch_session import DTYPES, start_torch, torch_info
from bench.classifiers.generation import Generator
from bench.text.batching import pack
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, EngineSpec, Prediction, StageClock


class GenerationSession:
    """Tokenise, sort by length, write in batches, read. An answer without a class has label -1 and says nothing."""

    def __init__(
        self,
        classifier: Classifier,
        spec: EngineSpec,
        device: str,
        threads: int,
        convert: Callable[[nn.Module], nn.Module] = lambda model: model,
    ) -> None:
        """`convert` exchanges layers of the language model in place."""
        started = perf_counter()
        kept = start_torch(device, threads)
        self.clock = StageClock()
        self._tokenizer = load_tokenizer(classifier)
        self._generator: Generator | None = Generator(
            classifier, self._tokenizer.tokenizer, DTYPES[spec.precision], device
        )
        loaded = perf_counter()
        with torch.inference_mode():
            convert(self._generator.model)
        self._limits = BatchLimits.of(spec, device)
        self._classes = len(classifier.class_names)
        self.info = torch_info(
            classifier,
            spec,
            device,
            threads,
            load_s=loaded - started,
            convert_s=perf_counter() - loaded,
            details={
                "decoding": "greedy, constrained" if self._generator.permitted else "greedy",
                "keeps_freed_memory": kept,
                **batching_details(self._limits),
            },
        )

    def predict(self, texts: Sequence[str]) -> Prediction:
        """From raw strings to labels; any number of texts."""
        return self._predict(texts, free=False)

    def predict_freely(self, texts: Sequence[str]) -> Prediction:
        """As `predict`, without the constraint that the classifier may have."""
        return self._predict(texts, free=True)

    def _predict(self, texts: Sequence[str], free: bool) -> Prediction:
        if self._generator is None:
            raise RuntimeError("the session is closed")
        clock, started = self.clock, perf_counter()
        encoded = self._tokenizer.encode(texts)
        lengths = encoded.lengths
        clock.tokenise_s += perf_counter() - started
        labels = np.empty(len(texts), dtype=np.int64)
        endings = np.zeros(len(texts), dtype=np.uint8)
        batches = pack(lengths, self._limits.token_budget, self._limits.max_batch)
        for rows in batches:
            began = perf_counter()
            written = self._generator.write([encoded.ids[row] for row in rows], free)
            clock.forward_s += perf_counter() - began
            read = [self._generator.read(answer, free) for answer in written]
            labels[rows], endings[rows] = zip(*read, strict=True)
            clock.padded_tokens += len(rows) * int(lengths[rows].max())
        clock.real_tokens += int(lengths.sum())
        clock.batches += len(batches)
        return Prediction(certain(labels, self._classes), labels, lengths, encoded.truncated, endings)

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        """Hash of the prompts' token ids."""
        return self._tokenizer.encode(texts).sha256

    def recompiles(self) -> int | None:
        """Nothing is compiled."""
        return None

    def close(self) -> None:
        """Let go of the model."""
        self._generator = None
