"""Looks at one engine with one set of settings, shortly, in a process of its own: its rate and its labels."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from bench.classifiers.folder import load_classifier
from bench.data.prepared import open_dataset
from bench.execution.sessions import open_session
from bench.machine.threads import set_threads
from bench.results.autotuned import Trial
from bench.types import EngineSpec, Progress, Session, Workplace

FIRST_TEXTS = 32
MOST_TEXTS = 512
PASS_S = 1.0  # as many texts as take about this long
PASSES = 3


@dataclass(frozen=True)
class TrialTask:
    """What to load and how; `texts`: how many training texts to answer, None for as many as fit into a short pass."""

    classifier_folder: Path
    engine: EngineSpec
    data_folder: Path
    texts: int | None
    place: Workplace


def try_settings(task: TrialTask, progress: Progress) -> Trial:
    """Answer training texts, first unmeasured, then three times; the fastest pass counts, as others only add time."""
    set_threads(task.place.threads)
    train = open_dataset(task.data_folder).train.texts
    classifier = replace(load_classifier(task.classifier_folder), examples=train[:MOST_TEXTS])
    progress(f"trying {task.engine.name}", 0, 1)
    session = open_session(classifier, task.engine, task.place)
    try:
        texts = train[: task.texts or _enough(session, train)]
        labels = session.predict(texts).labels
        passes_s = [_time(session, texts) for _ in range(PASSES)]
    finally:
        session.close()
    return Trial(rate_rps=len(texts) / min(passes_s), labels=tuple(labels.tolist()))


def _enough(session: Session, train: tuple[str, ...]) -> int:
    first = train[:FIRST_TEXTS]
    session.predict(first)
    return min(MOST_TEXTS, len(train), max(len(first), round(PASS_S * len(first) / _time(session, first))))


def _time(session: Session, texts: tuple[str, ...]) -> float:
    started = time.perf_counter()
    session.predict(texts)
    return time.perf_counter() - started
