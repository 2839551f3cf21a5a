"""Describes engines, their sessions and what they answer."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from pydantic import Field

from bench.types.classifiers import Classifier, Workplace
from bench.types.record import ClassifierKind, Precision, Record


@dataclass(frozen=True)
class Availability:
    """Whether something can run here; `reason` when not, `remedy` is the command that would make it ready."""

    ok: bool
    version: str | None = None
    reason: str | None = None
    remedy: str | None = None


class EngineSpec(Record):
    """One engine as the command line names it: a backend at one precision with its options.

    A reference engine gives the answers that the other engines' parity certificates are measured against.
    """

    name: str
    title: str
    backend: str
    precision: Precision
    reference: bool = False
    options: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Prediction:
    """Answers to n texts.

    probabilities float32 (n, k), rows sum to 1; labels int64 (n,), -1 = no valid answer;
    token_counts int32 (n,) after truncation; truncated bool (n,). endings uint8 (n,): an `Ending` each, None where
    nothing is written.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    token_counts: np.ndarray
    truncated: np.ndarray
    endings: np.ndarray | None = None


class Ending(enum.IntEnum):
    """How a written answer ended: by itself, at its limit, before its first word, or refused for its text."""

    WHOLE = 0
    CUT_OFF = 1
    EMPTY = 2
    REFUSED = 3


@dataclass
class StageClock:
    """Seconds of each stage of predict, tokens, and what an endpoint did not answer at once.

    failed_requests: tries of requests that got no answer in the end, by reason; retried_requests: tries of those that
    were answered later; unanswered: texts without an answer; refused: texts that the server will not answer.
    Reset by the one who reads it.
    """

    tokenise_s: float = 0.0
    queue_s: float = 0.0
    forward_s: float = 0.0
    post_s: float = 0.0
    real_tokens: int = 0
    padded_tokens: int = 0
    batches: int = 0
    failed_requests: dict[str, int] = field(default_factory=dict)
    retried_requests: dict[str, int] = field(default_factory=dict)
    unanswered: int = 0
    refused: int = 0

    @property
    def lost_texts(self) -> int:
        """Texts without an answer, whatever the reason."""
        return self.unanswered + self.refused

    @property
    def turned_away(self) -> int:
        """Tries that were more than the server could take: a lost connection that came back is none."""
        told = (count for reason, count in self.retried_requests.items() if reason.startswith("HTTP "))
        return sum(self.failed_requests.values()) + sum(told)

    def reset(self) -> None:
        self.__init__()  # type: ignore[misc]


@dataclass(frozen=True)
class SessionInfo:
    """What loading did: seconds apart, precision and threads in force, and where it really runs.

    concurrency: how many requests at once an engine takes that schedules them itself, `predict` called from as many
    threads; None for one that takes one call at a time, which gets a batcher in front of it.
    """

    load_s: float
    convert_s: float = 0.0
    precision: str = "fp32"
    device: str = "cpu"
    threads: int | None = None
    artifact_bytes: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int | None = None


class Session(Protocol):
    """A classifier loaded into an engine."""

    clock: StageClock
    info: SessionInfo

    def predict(self, texts: Sequence[str]) -> Prediction:
        """From raw strings to labels; any number of texts, batching inside."""
        ...

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        """Hash of the token ids the model reads for these texts; None where the engine has no tokens."""
        ...

    def recompiles(self) -> int | None:
        """Compilations so far; None for engines that never compile."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class FreeSession(Protocol):
    """A session of written answers, which can leave a classifier's constraint out."""

    def predict_freely(self, texts: Sequence[str]) -> Prediction:
        """As `predict`, without the constraint."""
        ...


class Backend(ABC):
    """Base of every engine: a way to load a classifier into a session. Construction only stores.

    kinds: the classifiers it serves. unserved: by kind, why it does not serve it, where a reader would ask.
    spec: precision and options. place: device, threads and cache folder.
    """

    kinds: ClassVar[frozenset[ClassifierKind]]
    unserved: ClassVar[Mapping[ClassifierKind, str]] = {}

    def __init__(self, spec: EngineSpec, place: Workplace) -> None:
        self.spec = spec
        self.place = place
        self.device = place.device
        self.threads = place.threads
        self.cache = place.cache

    @staticmethod
    @abstractmethod
    def availability(spec: EngineSpec, device: str) -> Availability:
        """Whether this engine can run here at all; loads no model."""

    @abstractmethod
    def load(self, classifier: Classifier) -> Session:
        """The classifier in memory; raises NotAvailable where this engine cannot hold it."""

    def load_together(self, classifiers: Sequence[Classifier]) -> Sequence[Session]:
        """One session a classifier; an engine that can keep a shared base model in memory once does so."""
        return [self.load(classifier) for classifier in classifiers]
