"""Answers texts with one classifier, for people who call the harness from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from bench.errors import UsageError
from bench.execution.predict import Predictor


@dataclass(frozen=True)
class Answer:
    """What a classifier says of a text: label None where it gave no valid answer, probabilities by class name.

    truncated: whether the text was longer than the classifier reads.
    """

    label: str | None
    confidence: float | None
    probabilities: Mapping[str, float]
    truncated: bool


class Model:
    """A classifier loaded into an engine, in this process; `with` closes it, and so does `close`."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, texts: Sequence[str]) -> list[Answer]:
        """One answer a text, in their order; batching inside. Raises UsageError for a string instead of several."""
        if isinstance(texts, str):
            raise UsageError("predict takes a list of texts; write predict([text])")
        answers = (row["models"][0] for row in self._predictor.rows(list(texts)))
        fields = ("label", "confidence", "probabilities", "truncated")
        return [Answer(**{field: answer[field] for field in fields}) for answer in answers]

    def close(self) -> None:
        """Let go of the weights."""
        self._predictor.__exit__(None, None, None)

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
