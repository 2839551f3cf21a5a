"""Describes recipes, base models, trainings and the classifiers they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import Field, model_validator

from bench.types.data import Dataset
from bench.types.record import SCHEMA_VERSION, ClassifierKind, Record, WeightsChoice


class TrainCut(Record):
    """The part of train that a recipe sees; validation and test stay as they are.

    items: a nested stratified subset of that size, or with `selection` the texts that a zero-shot language model finds
    hardest or easiest (by the loss of the true label). per_class: so many of every class, nested, too.
    label_noise: share of labels replaced by another class. first_words: how much of each text is left
    (characters where a language writes no spaces).
    """

    items: int | None = Field(default=None, ge=1)
    per_class: int | None = Field(default=None, ge=1)
    selection: Literal["stratified", "hard", "easy"] = "stratified"
    label_noise: float = Field(default=0.0, ge=0.0, le=1.0)
    first_words: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_number_of_texts(self) -> TrainCut:
        if self.per_class is not None and (self.items is not None or self.selection != "stratified"):
            raise ValueError("per_class is a number of texts by itself; leave items and selection out")
        return self


class Recipe(Record):
    """One way to make a classifier: a training method, the role of its base model, hyperparameters.

    `row` names its published system, `needs` what it takes beyond a small machine, `stands_for` the
    published base model that a small one stands in for. A variant made by a study or by --set names the recipe it
    varies (`variant_of`) and in what (`variant`).
    """

    id: str
    title: str
    method: str
    role: Literal["encoder", "causal"] | None = None
    base_model: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
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
    test_precision: float | None = None
    test_recall: float | None = None
    test_f1: float | None = None


class FitRecord(Record):
    """What training cost: wall times in seconds, apart from each other.

    saved_bytes: what has to be kept of the training, beside the base model where the method leaves that as it is.
    beside_others: whether other trainings ran on the machine meanwhile, so that its seconds are none of the machine.
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
    beside_others: bool = False

    @property
    def alone_s(self) -> float | None:
        """fit_s as a figure of the machine; None where others trained on it meanwhile."""
        return None if self.beside_others else self.fit_s


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
    settings: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict)


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
    def is_constrained(self) -> bool:
        """Whether it may write nothing but its classes' answers."""
        return "permitted" in self.manifest.settings

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
