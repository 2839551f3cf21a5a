"""Records what LoadGen and the server scenario measured, and what the machine could do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from bench.machine.crowding import Crowding
from bench.results.names import RelativeFile
from bench.types import Record, Scenario

Purpose = Literal["search", "confirm"]
# A percentile is printed only where the sample supports it (MLPerf's query counts for 90 % confidence).
QUERIES_FOR = {90.0: 64, 95.0: 130, 99.0: 662, 99.9: 6636}


class Stages(Record):
    """Share of the measured time in each stage, and padding: computed tokens that are no text."""

    tokenise_s: float
    queue_s: float
    forward_s: float
    post_s: float
    padding_share: float | None


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
    crowding: what other processes took meanwhile; of `server` during the run that stands for it.
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
    crowding: Crowding | None = None


def most_crowded(runs: Iterable[LoadRun]) -> Crowding | None:
    """What others took during the run that they held up most; None where nobody watched."""
    watched = (run.crowding for run in runs if run.crowding is not None)
    return max(watched, key=lambda crowding: crowding.held_up, default=None)


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

    @property
    def crowding(self) -> Crowding | None:
        """What others took during the run that they held up most; None where nobody watched."""
        return most_crowded(self.runs)

    @property
    def beside_others(self) -> bool:
        """Whether its rates are too low by what other processes took."""
        return self.crowding is not None and self.crowding.beside_others
