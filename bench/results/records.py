"""What a run stores and the reports read: cells, figures with their units, results, the settings of the run."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import ConfigDict, Field, StringConstraints

from bench.results.autotuned import Tuning
from bench.types import SCHEMA_VERSION, DataCard, FitRecord, Prediction, Record, Scenario, WeightsChoice

# What a file of a run folder may be called: cell ids become file names, also those of somebody else's folder.
FileName = Annotated[str, StringConstraints(pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,249}$")]
RelativeFile = Annotated[
    str,
    StringConstraints(
        pattern=r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*(/[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*){0,3}$"
    ),
]


class Status(enum.StrEnum):
    OK = "OK"
    SKIPPED = "SKIPPED"
    OOM = "OOM"
    TIMEOUT = "TIMEOUT"
    CRASH = "CRASH"
    INVALID = "INVALID"
    UNSTABLE = "UNSTABLE"


class Cell(Record):
    """One row of a leaderboard: a task, a recipe, a training seed, an engine (None: it never came to an engine).

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
    """The loaded engine as the row shows it; bytes of resident memory at its peak, seconds apart."""

    load_s: float
    convert_s: float
    device: str
    precision: str
    threads: int | None
    artifact_bytes: int | None
    peak_rss_bytes: int | None
    peak_device_bytes: int | None
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
    the server refuses to give for their text; None where nothing is written.
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
    tokens_mean: float
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def untested_classes(self) -> int:
        """Classes without a text among those answered."""
        return sum(score.support == 0 for score in self.per_class)


class Stages(Record):
    """Share of the measured time in each stage, and padding: computed tokens that are no text."""

    tokenise_s: float
    queue_s: float
    forward_s: float
    post_s: float
    padding_share: float | None


Purpose = Literal["search", "confirm"]


# A percentile is printed only where the sample supports it (MLPerf's query counts for 90 % confidence).
QUERIES_FOR = {90.0: 64, 95.0: 130, 99.0: 662, 99.9: 6636}


class ServerPoint(Record):
    """One LoadGen Server run: Poisson arrivals at `target_rps`, latencies in ms from each request's scheduled arrival.

    limited_ms is the `percentile` that the limit is about, which a search takes from few queries; p90_ms is None where
    too few support it. The rate is that of answers; queue figures are of the time
    before the engine began, texts a batch and the share of time that the engine computed. Where `saturated`, so many
    requests were late, or one had waited so long, that the rest was left unanswered: there are no figures.
    """

    purpose: Purpose
    percentile: float
    target_rps: float
    held: bool
    valid: bool
    saturated: bool
    failed_requests: int
    queries: int
    rate_rps: float | None
    p50_ms: float | None
    p90_ms: float | None
    limited_ms: float | None
    queue_p50_ms: float | None
    queue_p99_ms: float | None
    batch_mean: float | None
    busy_share: float | None


class ServerSearch(Record):
    """How the highest Poisson rate was found whose percentile stays within the limit; every rate tried, in order.

    target_rps is None when no rate held. Token budget, texts and wait are the batcher's, None for an engine that
    schedules `concurrency` requests itself. issue_delay_p99_ms: how late LoadGen itself was, which the latencies count.
    """

    limit_ms: float
    percentile: float
    target_rps: float | None
    token_budget: int | None
    max_batch: int | None
    max_wait_ms: float | None
    concurrency: int | None
    issue_delay_p99_ms: float | None
    points: tuple[ServerPoint, ...]


class LoadRun(Record):
    """One LoadGen run: rates in 1/s, latencies in milliseconds; a percentile too few queries support is None.

    matmul_share: operations of the answered texts over what the machine's matrix product does in that time;
    memory_share: weights read by the forward passes over what its memory moves. None where nobody counted them.
    failed_requests: an endpoint's tries, by reason, of requests that got no answer; retried_requests: those of requests
    that were answered at a later try, whose latency has all of them; refused: queries whose text gets no answer.
    """

    scenario: Scenario
    valid: bool
    verdict: str
    queries: int
    samples: int
    duration_s: float
    rate_rps: float
    mean_ms: float | None
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    tokens_per_s: float | None
    stages: Stages
    warmup_s: float
    warmup_rounds: int
    recompiles: int | None
    failed_requests: dict[str, int] = Field(default_factory=dict)
    retried_requests: dict[str, int] = Field(default_factory=dict)
    refused: int = 0
    latencies_file: RelativeFile | None = None
    passes_per_s: float | None = None
    matmul_share: float | None = None
    memory_share: float | None = None
    server: ServerSearch | None = None


class MachineLimits(Record):
    """The most this machine does with so many threads at a precision; int8 operations count as FLOPs."""

    device: str
    threads: int
    precision: str
    matmul_flops_per_s: float
    matmul_library: str
    memory_bytes_per_s: float


class Work(Record):
    """What a text takes by the classifier's architecture (mean over the test texts), and the machine's limits.

    weight_bytes: the weights that one forward pass reads, at the engine's precision.
    """

    flops_per_text: float
    weight_bytes: int
    limits: MachineLimits


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


class LoadSummary(Record):
    """All runs of one scenario: the median rate with its range, percentiles of the median run."""

    scenario: Scenario
    tier: str
    valid: bool
    verdict: str
    rate_rps: float
    rate_low_rps: float
    rate_high_rps: float
    p50_ms: float | None
    p90_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    runs: tuple[LoadRun, ...]


class Flip(Record):
    """A test item whose label differs from the reference engine's; margin is the reference's top-two gap."""

    id: int
    reference: int
    label: int
    margin: float


@dataclass(frozen=True)
class Answers:
    """A cell's predictions file: item ids int64 (n,), true labels int64 (n,), and what was answered."""

    ids: np.ndarray
    labels: np.ndarray
    prediction: Prediction


class Parity(Record):
    """Same classifier, other engine: the certificate against Hugging Face eager fp32.

    `changed_at_most`: the share of changed labels that so many texts leave possible (95 %, exact binomial);
    `items_to_judge`: how many texts without a change it takes to hold the bar against that.
    """

    reference: str
    items: int
    same_tokens: bool | None
    equal_labels: float
    required: float
    largest_probability_difference: float
    mcnemar_p: float
    passed: bool
    flips: tuple[Flip, ...]
    changed_at_most: float | None = None
    items_to_judge: int | None = None

    @property
    def judged(self) -> bool:
        """Whether the texts were enough to say that the bar is kept."""
        return self.changed_at_most is not None and self.changed_at_most <= 1 - self.required


class Result(Record):
    """Everything about one cell; written whole or not at all.

    warnings: what its figures alone do not say.
    over_budget: SKIPPED because the time given had no room for it, so that another run measures it.
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
    predictions_file: RelativeFile | None = None
    token_sha256: str | None = None
    predict_s: float | None = None
    test_items: int | None = None
    failed_requests: dict[str, int] = Field(default_factory=dict)
    work: Work | None = None
    tuning: Tuning | None = None
    over_budget: bool = False
    wall_s: float | None = None
    finished_at: str | None = None

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


class ImportedRow(Record):
    """A benchmark of somebody's pytest-benchmark file; percentiles None where the file's rounds do not support them."""

    name: str
    group: str | None
    rounds: int
    rate_rps: float
    p50_ms: float
    p90_ms: float | None
    p99_ms: float | None


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
    """A run folder as the reports read it; `answers` holds the predictions of every cell that has some."""

    folder: Path
    settings: RunSettings
    environment: Mapping[str, Any]
    results: tuple[Result, ...]
    answers: Mapping[str, Answers]


@dataclass(frozen=True)
class Evidence:
    """What a run folder holds beside its figures, empty where it holds none.

    `texts` gives the test texts, possibly shortened, by item id for a data fingerprint; `latencies_ns` gives the raw
    latencies int64 (queries,) of a LoadRun's `latencies_file`.
    """

    texts: Callable[[str], Mapping[int, str]]
    latencies_ns: Callable[[str], np.ndarray]
