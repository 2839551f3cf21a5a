"""The types that flow through the harness; imports nothing of the project and no torch."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

SCHEMA_VERSION = 1

ClassifierKind = Literal["sequence", "embedding", "options", "generate", "network", "linear", "served"]
Precision = Literal["fp32", "fp16", "bf16", "int8", "unstated"]
Scenario = Literal["single", "offline", "server"]
ModelSet = Literal["small", "published"]
WeightsChoice = Literal["trained", "random"]

REMOTE = "endpoint"  # the device of what runs behind a network address


def first_problem(error: ValidationError) -> str:
    """What is wrong with the first of a record's fields that are: its place and pydantic's sentence."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg'].removeprefix('Value error, ')}"


class Record(BaseModel):
    """Base of everything that is stored as JSON: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


# ---------------------------------------------------------------- data


@dataclass(frozen=True)
class Split:
    """Labelled texts: ids int64 (n,) name the rows of the source split, labels int64 (n,) index the classes."""

    texts: tuple[str, ...]
    labels: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> Split:
        """The given rows, in the given order; rows is an int array of positions."""
        return Split(tuple(self.texts[row] for row in rows), self.labels[rows], self.ids[rows])

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 over ids, labels and texts, in order."""
        digest = sha256()
        for row_id, label, text in zip(self.ids, self.labels, self.texts, strict=True):
            encoded = text.encode("utf-8")
            digest.update(b"%d\t%d\t%d\t" % (row_id, label, len(encoded)))
            digest.update(encoded)
        return digest.hexdigest()


class Prompt(Record):
    """How a language model is asked: `template` holds {text} and may hold {options}; one label word a class.

    `noun` and `question` make the multiple-choice prompt: the noun names the text, the question asks for its class.
    """

    template: str
    label_words: tuple[str, ...]
    noun: str = "Text"
    question: str = "Which class does the text belong to?"


class Source(Record):
    """Where the texts came from, as the tables print it."""

    kind: Literal["local", "hub-cache", "hub", "package", "sample"]
    name: str
    revision: str | None = None
    licence: str | None = None
    note: str | None = None


class SplitSizes(Record):
    train: int
    validation: int
    test: int


class DataCheck(Record):
    """What a look at the texts and labels found before anything was trained.

    `texts` were looked at. duplicates: texts that stand in the data again but for case, spaces and signs; near: pairs
    that are nearly the same; leaked: test texts that are also, exactly or nearly, in train or validation; conflicting:
    texts that occur with two labels. doubtful: labels that confident learning holds for wrong, of them `doubtful_test`
    in test, by id, the likeliest errors first.
    """

    texts: int
    duplicates: int
    near: int
    leaked: int
    conflicting: int
    doubtful: int | None
    doubtful_test: tuple[int, ...] = ()


class DataCard(Record):
    """What a table says about its data; `sizes` were used, `full_sizes` were there."""

    task: str
    title: str
    language: str
    class_names: tuple[str, ...]
    source: Source
    sizes: SplitSizes
    full_sizes: SplitSizes
    fingerprint: str
    notes: tuple[str, ...] = ()
    check: DataCheck | None = None


@dataclass(frozen=True)
class Dataset:
    """A task's texts, cut into train, validation and test, and what is known of them."""

    name: str
    title: str
    language: str
    class_names: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    full_sizes: SplitSizes
    source: Source
    prompt: Prompt
    notes: tuple[str, ...] = ()
    check: DataCheck | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 over class names and the three splits."""
        parts = (
            "\x1f".join(self.class_names),
            self.train.fingerprint,
            self.validation.fingerprint,
            self.test.fingerprint,
        )
        return sha256("\x1e".join(parts).encode("utf-8")).hexdigest()

    @property
    def card(self) -> DataCard:
        sizes = SplitSizes(train=len(self.train), validation=len(self.validation), test=len(self.test))
        return DataCard(
            task=self.name,
            title=self.title,
            language=self.language,
            class_names=self.class_names,
            source=self.source,
            sizes=sizes,
            full_sizes=self.full_sizes,
            fingerprint=self.fingerprint,
            notes=self.notes,
            check=self.check,
        )


# ---------------------------------------------------------------- recipes, models, classifiers


class TrainCut(Record):
    """The part of train that a recipe sees; validation and test stay as they are.

    items: a nested stratified subset of that size, or with `selection` the texts that a zero-shot language model finds
    hardest or easiest (by the loss of the true label). label_noise: share of labels replaced by another class.
    first_words: how much of each text is left (characters where a language writes no spaces).
    """

    items: int | None = Field(default=None, ge=1)
    selection: Literal["stratified", "hard", "easy"] = "stratified"
    label_noise: float = Field(default=0.0, ge=0.0, le=1.0)
    first_words: int | None = Field(default=None, ge=1)


class Recipe(Record):
    """One way to make a classifier: a training method, the role of its base model, hyperparameters.

    `row` is its row among the published systems, `needs` what it takes beyond a small machine, `stands_for` the
    published base model that a small one stands in for. A variant made by a study or by --set names the recipe it
    varies (`variant_of`) and in what (`variant`).
    """

    id: str
    title: str
    method: str
    role: Literal["encoder", "causal"] | None = None
    base_model: str | None = None
    params: dict[str, Any] = {}
    row: str | None = None
    needs: str | None = None
    stands_for: str | None = None
    cut: TrainCut = TrainCut()
    variant_of: str | None = None
    variant: str | None = None
    weights: WeightsChoice = "trained"


@dataclass(frozen=True)
class BaseWeights:
    """A pretrained model on disk: config.json, model.safetensors and tokenizer.json in `path`.

    sha256 covers every file that loading may read. positions: how many tokens it reads and writes together, None where
    that is far away. normalise: whether its sentence vectors have length 1, None where the model does not say;
    no_vectors: why none can be made of it.
    """

    name: str
    path: Path
    sha256: str
    origin: str
    pooling: Literal["mean", "cls", "last"] = "mean"
    prefix: str = ""
    max_length: int = 512
    note: str | None = None
    positions: int | None = None
    normalise: bool | None = None
    no_vectors: str | None = None


class CurvePoint(Record):
    """One evaluation on validation during training; losses in nats, scores in [0, 1], macro averages.

    The test scores are for the table only (the write-ups chose their checkpoint by them); nothing is chosen by them.
    """

    step: int
    epoch: float
    training_loss: float | None
    validation_loss: float | None
    accuracy: float
    precision: float
    recall: float
    f1: float
    test_accuracy: float | None = None
    test_f1: float | None = None


class FitRecord(Record):
    """What training cost: wall times in seconds, apart from each other.

    saved_bytes: what has to be kept of the training, beside the base model where the method leaves that as it is.
    """

    fit_s: float
    tokenise_s: float = 0.0
    evaluate_s: float = 0.0
    steps: int | None = None
    chosen_step: int | None = None
    epochs: float | None = None
    examples: int | None = None
    trainable_parameters: int | None = None
    total_parameters: int | None = None
    saved_bytes: int | None = None
    peak_bytes: int | None = None
    precision: str | None = None
    curve: tuple[CurvePoint, ...] = ()
    notes: tuple[str, ...] = ()


class Manifest(Record):
    """manifest.json of a classifier folder: the only contract between trainers and backends."""

    schema_version: int = SCHEMA_VERSION
    kind: ClassifierKind
    class_names: tuple[str, ...]
    language: str
    max_length: int | None = None
    recipe: Recipe
    seed: int
    base_model: str | None = None
    base_origin: str | None = None
    data_fingerprint: str
    fit: FitRecord
    settings: dict[str, Any] = {}
    files: dict[str, str] = {}


@dataclass(frozen=True)
class Classifier:
    """A trained classifier on disk; sha256 covers what decides its answers: files, classes, settings, not times.

    examples: training texts, where they are at hand, for engines that choose number ranges or sizes by them.
    """

    path: Path
    manifest: Manifest
    sha256: str
    examples: tuple[str, ...] = ()

    @property
    def kind(self) -> ClassifierKind:
        return self.manifest.kind

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.manifest.class_names

    @property
    def artifact_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())


class Progress(Protocol):
    """Called with what is being done, how much is done and how much there is."""

    def __call__(self, what: str, done: int, total: int) -> None: ...


@dataclass(frozen=True)
class Workplace:
    """Where a trainer or an engine works. `checkpoint` survives an interrupted training; None: nothing is kept."""

    device: str
    threads: int
    cache: Path
    checkpoint: Path | None = None


class Trainer(Protocol):
    """One training method; construction only stores."""

    def __init__(self, recipe: Recipe, base: BaseWeights | None, place: Workplace) -> None: ...

    @classmethod
    def check(cls, recipe: Recipe) -> None:
        """Raise UsageError when a hyperparameter of the recipe has a wrong name or an impossible value."""
        ...

    def fit(self, data: Dataset, seed: int, out: Path, progress: Progress) -> Classifier:
        """Train on data.train, choose on data.validation, write the classifier folder `out`."""
        ...


# ---------------------------------------------------------------- engines


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
    options: dict[str, Any] = {}


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
