"""Measures the memory that serving takes: a fresh process loads a classifier into an engine and answers long texts.

Exports and compiled files are there by then, and nothing that an earlier step imported or computed counts. The texts
fill a batch of the longest ones, where memory peaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from bench.classifiers.folder import load_classifier
from bench.execution.sessions import open_session
from bench.machine.memory import peak_bytes
from bench.machine.threads import set_threads
from bench.types import EngineSpec, Progress, Workplace

MOST_TEXTS, MOST_CHARACTERS = 64, 6_000  # some thousand tokens: a CPU engine's batch holds 1,024
DEVICE_TIMES_AS_MANY = 16  # a GPU's batches are larger


@dataclass(frozen=True)
class MemoryTask:
    """What to load and which texts to answer; `examples` are training texts, for an engine that warms up on some."""

    classifier_folder: Path
    engine: EngineSpec
    place: Workplace
    texts: tuple[str, ...]
    examples: tuple[str, ...]


def longest_texts(texts: Sequence[str], device: str) -> tuple[str, ...]:
    """About one batch of the longest texts, the longest first."""
    times = 1 if device == "cpu" else DEVICE_TIMES_AS_MANY
    chosen: list[str] = []
    characters = 0
    for text in sorted(texts, key=len, reverse=True)[: times * MOST_TEXTS]:
        chosen.append(text)
        characters += len(text)
        if characters >= times * MOST_CHARACTERS:
            break
    return tuple(chosen)


def measure_memory(task: MemoryTask, progress: Progress) -> int:
    """Peak resident bytes of this process, and of those it started, after it answered the texts."""
    set_threads(task.place.threads)
    progress("loading", 0, 1)
    classifier = replace(load_classifier(task.classifier_folder), examples=task.examples)
    session = open_session(classifier, task.engine, task.place)
    try:
        progress("answering", 0, 1)
        session.predict(task.texts[:1])
        session.predict(task.texts)
        return whole_peak_bytes()
    finally:
        session.close()


def whole_peak_bytes() -> int:
    """The peak of this process and of those that it started, which hold a server's or an engine's weights."""
    return peak_bytes() + sum(peak_bytes(child.pid) for child in psutil.Process().children(recursive=True))
