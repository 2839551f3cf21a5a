"""Records what a run stores and the reports read: cells, figures with their units, results, settings."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ConfigDict, Field

from bench.results.autotuned import Tuning
from bench.results.certificates import FreeWriting, Parity
from bench.results.names import FileName, RelativeFile
from bench.results.speed_records import LoadRun, LoadSummary, Work
from bench.types import SCHEMA_VERSION, DataCard, FitRecord, Prediction, Record, Scenario, WeightsChoice


class Status(enum.StrEnum):
    OK = "OK"
    SKIPPED = "SKIPPED"
    OOM = "OOM"
    TIMEOUT = "TIMEOUT"
    CRASH = "CRASH"
    INVALID = "INVALID"
    UNSTABLE = "UNSTABLE"


class Cell(Record):
    """What is measured once: a task, a recipe, a training seed, an engine (None: it never came to an engine).

    `machine` names where it was measured in a run merged of several machines' runs (`bench merge`).
    """

    id: FileName
    task: str
    recipe: str
    method: str
    base_model: str | None
    seed: int
    engine: str | None
    precision: str | None
    row: str | None = None
    stands_for: str | None = None
    variant_of: str | None = None
    variant: str | None = None
    weights: WeightsChoice = "trained"
    machine: str | None = None


class SessionCard(Record):
    """The loaded engine as the result shows it; bytes of resident memory at its peak, seconds apart.

    peak_rss_bytes: of a fresh process that loads and answers; peak_rss_missing says why there is none.
    """

    load_s: float
    convert_s: float
    device: str
    precision: str
    threads: int | None
    artifact_bytes: int | None
    peak_rss_bytes: int | None
    peak_device_bytes: int | None
    peak_rss_missing: str | None = None
    details: dict[str, Any] = Field(default_factory=dict)


class Interval(Record):
    """A figure with its 95 % interval; all three are numbers.

    `items_needed`: about how many items an interval takes, where these are too few for one; None where it holds.
    Without one, low and high are the ends of the figure's scale.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    value: float
    low: float
    high: float
    items_needed: int | None = None


class ClassScore(Record):
    name: str
    precision: float
    recall: float
    f1: float
    support: int


class Quality(Record):
    """Figures over the n test items that were answered, every one derived from the predictions file.

    Macro averages are over the classes that have a text among them; ece None where no answer names a class.
    cut_off_share, empty_share, refused_share: of written answers, those that ended at their limit, were empty, or that
    the server refuses to give for their text; None where nothing is written. truncated_accuracy: of the texts that
    are longer than what is read; None where there are none.
    """

    n: int
    accuracy: Interval
    macro_f1: Interval
    macro_precision: Interval
    macro_recall: Interval
    valid_share: float
    cut_off_share: float | None = None
    empty_share: float | None = None
    refused_share: float | None = None
    ece: float | None
    brier: float
    truncated_share: float
    truncated_accuracy: float | None = None
    tokens_mean: float
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def untested_classes(self) -> int:
        """Classes without a text among those answered."""
        return sum(score.support == 0 for score in self.per_class)


class MeasuredPart(Record):
    """What one process measured of a cell; a cell of several repeats has several.

    `repeat_speedup`: how many times faster a text is answered the second time; `least_repeat_speedup`: the low end of
    its interval.
    failed_requests: those of an endpoint while the test items were answered, by reason; retried_requests: tries of
    those answered later; unanswered: the items that got no answer in the end; invalid: the answers that name no class,
    or whose scores are no numbers.
    """

    session: SessionCard
    token_sha256: str | None
    predict_s: float | None
    items: int
    runs: tuple[LoadRun, ...]
    repeat_speedup: float | None = None
    least_repeat_speedup: float | None = None
    failed_requests: dict[str, int] = Field(default_factory=dict)
    retried_requests: dict[str, int] = Field(default_factory=dict)
    unanswered: int = 0
    invalid: int = 0
    work: Work | None = None
    free_writing: FreeWriting | None = None


@dataclass(frozen=True)
class Answers:
    """A cell's predictions file: item ids int64 (n,), true labels int64 (n,), and what was answered."""

    ids: np.ndarray
    labels: np.ndarray
    prediction: Prediction


class Result(Record):
    """Everything about one cell; written whole or not at all.

    warnings: what its figures alone do not say.
    over_budget: SKIPPED because the time given had no room for it, so that another run measures it.
    beside_others: whether other processes were at work meanwhile, so that its rates are no rates of the machine.
    validation_file: the classifier's answers to validation texts, by its reference engine; None where it was not asked.
    node: the host that measured it, in a run of many workers; environment.json has its machine card.
    """

    schema_version: int = SCHEMA_VERSION
    cell: Cell
    status: Status
    reason: str | None = None
    data: DataCard
    fit: FitRecord | None = None
    classifier_sha256: str | None = None
    classifier_kind: str | None = None
    base_origin: str | None = None
    session: SessionCard | None = None
    quality: Quality | None = None
    warnings: tuple[str, ...] = ()
    load: dict[str, LoadSummary] = Field(default_factory=dict)
    parity: Parity | None = None
    free_writing: FreeWriting | None = None
    predictions_file: RelativeFile | None = None
    validation_file: RelativeFile | None = None
    token_sha256: str | None = None
    predict_s: float | None = None
    test_items: int | None = None
    failed_requests: dict[str, int] = Field(default_factory=dict)
    work: Work | None = None
    tuning: Tuning | None = None
    over_budget: bool = False
    beside_others: bool = False
    wall_s: float | None = None
    finished_at: str | None = None
    node: str | None = None

    @property
    def without_reference(self) -> bool:
        """Whether the classifier exists behind its endpoint alone: no weights here that could be asked the same."""
        return self.classifier_kind == "served"

    @property
    def keeps_answers(self) -> bool:
        """Whether its speed is that of the answers its quality was read from.

        A passed certificate says so; a classifier without a reference was measured as it is served.
        """
        return self.parity.passed if self.parity else self.without_reference and self.quality is not None


class RunSettings(Record):
    """What `bench run` was asked for; the plan lists the cells of the leaderboard in order.

    estimated_s: what it said it would take, took_s: what it took, both of the last command, downloads in the latter.
    """

    schema_version: int = SCHEMA_VERSION
    tasks: tuple[str, ...]
    models: str
    tier: str
    scenarios: tuple[Scenario, ...]
    engines: tuple[str, ...]
    recipes: tuple[str, ...]
    seeds: int
    limit: int | None
    device: str
    threads: int
    price_per_hour: float | None = None
    study: str | None = None
    study_axis: str | None = None
    budget_s: float | None = None
    estimated_s: float | None = None
    took_s: float | None = None
    cells: tuple[FileName, ...] = ()


@dataclass(frozen=True)
class StoredRun:
    """A run folder as the reports read it; `answers` holds the predictions of every cell that has some.

    `validation` holds the answers to validation texts of every cell whose classifier was asked them.
    """

    folder: Path
    settings: RunSettings
    environment: Mapping[str, Any]
    results: tuple[Result, ...]
    answers: Mapping[str, Answers]
    validation: Mapping[str, Answers] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """What a run folder holds beside its figures, empty where it holds none.

    `texts` gives the test texts, possibly shortened, by item id for a data fingerprint; `latencies_ns` gives the raw
    latencies int64 (queries,) of a LoadRun's `latencies_file`.
    """

    texts: Callable[[str], Mapping[int, str]]
    latencies_ns: Callable[[str], np.ndarray]
