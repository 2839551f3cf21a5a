"""Serves through transformers.pipeline, as most write-ups do: the yardstick for engines that do better."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.shared.torch_availability import torch_availability
from bench.errors import NotAvailable
from bench.text.tokens import Encoded, TextTokenizer, load_tokenizer
from bench.types import Availability, Backend, Classifier, EngineSpec, Prediction, SessionInfo, StageClock

if TYPE_CHECKING:
    from transformers import Pipeline


class PipelineBackend(Backend):
    """Batches in the order of the texts, each padded to its longest."""

    kinds = frozenset({"sequence"})

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Needs torch."""
        return torch_availability(spec, device)

    def load(self, classifier: Classifier) -> PipelineSession:
        """Model and tokenizer of the folder; raises NotAvailable for an adapter, which the pipeline does not know."""
        import torch
        import transformers

        if "adapter" in classifier.manifest.settings:
            raise NotAvailable("transformers.pipeline serves plain models; this adapter is kept beside its base")
        started = perf_counter()
        torch.set_num_threads(self.threads)
        tokenizer = load_tokenizer(classifier)
        pipeline = _open(classifier, tokenizer, self.device)
        batch_size = int(self.spec.options["batch_size"])
        info = SessionInfo(
            load_s=perf_counter() - started,
            precision=self.spec.precision,
            device=self.device,
            threads=self.threads,
            artifact_bytes=classifier.artifact_bytes,
            details={"transformers": transformers.__version__, "dtype": self.spec.precision, "batch_size": batch_size},
        )
        return PipelineSession(pipeline, tokenizer, batch_size, len(classifier.class_names), info)


def _open(classifier: Classifier, tokenizer: TextTokenizer, device: str) -> Pipeline:
    from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast, pipeline

    from bench.classifiers.pretrained import load_pretrained

    model: Any = load_pretrained(AutoModelForSequenceClassification, classifier.path).eval()
    model.config.id2label = {label: str(label) for label in range(len(classifier.class_names))}
    model.config.pad_token_id = tokenizer.pad_id  # a decoder's own forward finds the last token by it
    pad_token = tokenizer.tokenizer.id_to_token(tokenizer.pad_id)
    fast = PreTrainedTokenizerFast(tokenizer_file=str(classifier.path / "tokenizer.json"), pad_token=pad_token)
    return pipeline(
        "text-classification", model=model, tokenizer=fast, device=device, top_k=None, function_to_apply="softmax"
    )


class PipelineSession:
    """The pipeline does everything; tokens are counted beside it, which costs it one to three hundredths."""

    def __init__(
        self, pipeline: Pipeline, tokenizer: TextTokenizer, batch_size: int, classes: int, info: SessionInfo
    ) -> None:
        self.clock = StageClock()
        self.info = info
        self._pipeline: Pipeline | None = pipeline
        self._tokenizer = tokenizer
        self._batch_size = batch_size
        self._classes = classes

    def predict(self, texts: Sequence[str]) -> Prediction:
        """From raw strings to labels; any number of texts."""
        started = perf_counter()
        encoded = self._tokenizer.encode(texts)
        counted = perf_counter()
        rows = self._answer(texts)
        answered = perf_counter()
        probabilities = np.zeros((len(texts), self._classes), dtype=np.float32)
        for row, scores in enumerate(rows):
            for score in scores:
                probabilities[row, int(score["label"])] = score["score"]
        lengths = encoded.lengths
        self.clock.tokenise_s += counted - started
        self.clock.forward_s += answered - counted
        self.clock.post_s += perf_counter() - answered
        self.clock.real_tokens += int(lengths.sum())
        for start in range(0, len(lengths), self._batch_size):
            part = lengths[start : start + self._batch_size]
            self.clock.padded_tokens += len(part) * int(part.max())
        self.clock.batches += -(-len(texts) // self._batch_size)
        labels = np.where(np.isfinite(probabilities).all(axis=1), probabilities.argmax(axis=1), -1)
        return Prediction(probabilities, labels, lengths, encoded.truncated)

    def _answer(self, texts: Sequence[str]) -> Any:
        """The pipeline's own lists of labels and scores; it breaks on no text, and on one without tokens."""
        if self._pipeline is None:
            raise RuntimeError("the session is closed")
        if not texts:
            return []
        return self._pipeline(self._strings(texts), batch_size=self._batch_size, **self._cut)

    @property
    def _cut(self) -> dict[str, Any]:
        return {"truncation": True, "max_length": self._tokenizer.max_length}

    def _strings(self, texts: Sequence[str]) -> list[str]:
        """What the pipeline is given for each text."""
        before, after = self._tokenizer.before, self._tokenizer.after
        pad_token = self._tokenizer.tokenizer.id_to_token(self._tokenizer.pad_id)
        return [f"{before}{text}{after}" or str(pad_token) for text in texts]

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        """Hash of the token ids that the pipeline's own tokenizer makes of these texts, which the model reads."""
        if self._pipeline is None:
            raise RuntimeError("the session is closed")
        tokenizer: Any = self._pipeline.tokenizer
        read = tokenizer(self._strings(texts), **self._cut)
        return Encoded(read["input_ids"], np.zeros(len(texts), dtype=bool)).sha256

    def recompiles(self) -> int | None:
        """Nothing is compiled."""
        return None

    def close(self) -> None:
        """Let go of the model."""
        self._pipeline = None
