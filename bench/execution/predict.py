"""Labels texts with trained classifier folders, one or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.classifiers.folder import load_whole_classifier
from bench.errors import NotAvailable, unknown_name
from bench.execution.sessions import open_sessions
from bench.files.cache import cache_dir
from bench.machine.environment import default_device
from bench.machine.threads import set_threads, usable_cores
from bench.plan.engines import backend_of, load_engines, reference_engine
from bench.types import Classifier, EngineSpec, Session, Workplace


class Predictor:
    """Open sessions of the classifiers given; a context manager that closes them."""

    def __init__(self, folders: Sequence[Path], engine: str | None, device: str | None, threads: int | None) -> None:
        self._classifiers = [load_whole_classifier(folder) for folder in folders]
        self._engine = engine
        self._device = device or default_device()
        self._threads = threads or usable_cores()
        self._sessions: list[Session] = []

    def __enter__(self) -> Predictor:
        set_threads(self._threads)
        opened: dict[int, Session] = {}
        for same in self._on_one_base():
            sessions = self._open([self._classifiers[number] for number in same])
            opened.update(zip(same, sessions, strict=True))
        self._sessions = [opened[number] for number in range(len(self._classifiers))]
        return self

    def _on_one_base(self) -> list[list[int]]:
        """The classifiers' numbers, those together whose adapters can be switched over one base model."""
        from bench.classifiers.modules import shared_base

        groups: dict[str, list[int]] = {}
        for number, classifier in enumerate(self._classifiers):
            groups.setdefault(shared_base(classifier) or f"classifier {number}", []).append(number)
        return list(groups.values())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions:
            session.close()

    def _open(self, classifiers: Sequence[Classifier]) -> list[Session]:
        """Sessions of classifiers that share a base model, or of one."""
        spec = engine_for(classifiers[0], self._engine)
        return open_sessions(classifiers, spec, Workplace(self._device, self._threads, cache_dir()))

    def rows(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """One row a text: the text and, for each model, its label, confidence and class probabilities."""
        if not texts:
            return []
        predictions = [session.predict(texts) for session in self._sessions]
        return [
            {"text": text, "models": [self._answer(m, predictions[m], n) for m in range(len(predictions))]}
            for n, text in enumerate(texts)
        ]

    def no_answers(self) -> list[dict[str, Any]]:
        """What stands in the row of a blank text: every model, and no label."""
        return [
            {
                "model": str(c.path),
                "label": None,
                "confidence": None,
                "probabilities": dict.fromkeys(c.class_names),
                "truncated": False,
            }
            for c in self._classifiers
        ]

    def _answer(self, m: int, prediction: Any, n: int) -> dict[str, Any]:
        classifier = self._classifiers[m]
        label = int(prediction.labels[n])
        probabilities = prediction.probabilities[n].tolist()
        return {
            "model": str(classifier.path),
            "label": classifier.class_names[label] if label >= 0 else None,
            "confidence": probabilities[label] if label >= 0 else None,
            "probabilities": dict(zip(classifier.class_names, probabilities, strict=True)),
            "truncated": bool(prediction.truncated[n]),
        }


def engine_for(classifier: Classifier, name: str | None) -> EngineSpec:
    """The engine named, or the reference engine of the classifier's kind."""
    engines = load_engines()
    if name is not None:
        if name not in engines:
            raise unknown_name("engine", name, engines)
        if classifier.kind not in backend_of(engines[name]).kinds:
            raise NotAvailable(f"engine {name} does not serve {classifier.kind} classifiers such as {classifier.path}")
        return engines[name]
    if reference := reference_engine(classifier.kind):
        return reference
    raise NotAvailable(
        f"{classifier.path} holds no weights, its model is behind an endpoint; use `bench run --endpoint`"
    )
