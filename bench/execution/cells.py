"""Puts a cell's result together: its name, its stored parts, its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.plan.plan import TaskPlan
from bench.quality.chance import quality_warnings
from bench.quality.parity import certify, constraint_warnings
from bench.quality.scores import measure_quality
from bench.results.autotuned import Tuning
from bench.results.certificates import Parity
from bench.results.names import result_name
from bench.results.records import Answers, Cell, MeasuredPart, Result, Status
from bench.results.speed_records import LoadSummary
from bench.speed.figures import describe_failures, summarise_runs
from bench.types import REMOTE, Classifier, DataCard, Dataset, EngineSpec, Recipe, Scenario

UNSTABLE_SPREAD = 0.2
MINIMUM_REPEATS_FOR_SPREAD = 3
QUICK_KINDS = frozenset({"sequence", "embedding", "network", "linear"})  # a language model takes a pass an answer
WRITING_KINDS = frozenset({"generate", "served"})
CACHED = 1.5  # engines without a cache stay below; what is new to them is a text's length
CACHED_REMOTELY = 1.15  # a server has seen every length already


@dataclass(frozen=True)
class Entry:
    """One cell to measure: its classifier and engine, how many test items, and the cell it is certified against."""

    cell: Cell
    task: TaskPlan
    classifier: Classifier
    engine: EngineSpec
    items: int
    scenarios: tuple[Scenario, ...]
    reference_id: str | None
    listed: bool
    threads: int
    tuning: Tuning | None = None

    @property
    def repeats(self) -> int:
        return self.task.tier.repeats if self.scenarios else 1

    @property
    def answers_validation(self) -> bool:
        """Whether this cell asks its classifier the validation texts too: once a classifier, and where it is quick."""
        trained = self.cell.weights == "trained"
        return trained and self.classifier.kind in QUICK_KINDS and self.reference_id == self.cell.id

    @property
    def title(self) -> str:
        return f"{self.cell.task} {self.cell.recipe} s{self.cell.seed} {self.cell.engine}"


def new_cell(
    data: Dataset, recipe: Recipe, base_name: str | None, seed: int, engine: EngineSpec | None, key: str
) -> Cell:
    """The cell with a readable id that ends in the content hash of all that decides its result."""
    return Cell(
        id=f"{result_name(data.name, recipe.id, seed, engine.name if engine else None)}-{key[:12]}",
        task=data.name,
        recipe=recipe.id,
        method=recipe.method,
        base_model=base_name,
        seed=seed,
        engine=engine.name if engine else None,
        precision=engine.precision if engine else None,
        row=recipe.row,
        stands_for=recipe.stands_for if recipe.stands_for != base_name else None,
        variant_of=recipe.variant_of,
        variant=recipe.variant,
        weights=recipe.weights,
    )


def failed_result(
    cell: Cell,
    data: DataCard,
    status: Status,
    reason: str | None,
    wall_s: float | None = None,
    over_budget: bool = False,
) -> Result:
    """A result that says why it has no figures."""
    return Result(
        cell=cell,
        status=status,
        reason=reason,
        data=data,
        over_budget=over_budget,
        wall_s=wall_s,
        finished_at=_now(),
    )


@dataclass(frozen=True)
class Reference:
    """The reference engine's answers for the same classifier, and the hash of the tokens it read."""

    name: str
    answers: Answers
    token_sha256: str | None


def assemble(
    entry: Entry, parts: list[MeasuredPart], answers: Answers, reference: Reference | None, shared: bool
) -> Result:
    """The result of a measured cell; without a certificate there is no speed.

    A classifier that exists behind its endpoint alone can have none: what was measured is what is served.
    Answers of random weights serve the certificate only: such a result has no quality. `shared`: see `judge_speed`.
    """
    manifest = entry.classifier.manifest
    first = parts[0]
    if first.unanswered:
        return failed_result(entry.cell, entry.task.data.card, Status.INVALID, _unanswered(entry, first))
    if (answers.prediction.labels < 0).all():
        return failed_result(entry.cell, entry.task.data.card, Status.INVALID, _no_valid_answer(entry))
    load: dict[str, LoadSummary] = {
        scenario: summarise_runs(
            scenario, entry.task.tier.name, [run for part in parts for run in part.runs if run.scenario == scenario]
        )
        for scenario in entry.scenarios
    }
    parity = None if reference is None else _certificate(entry, answers, reference, first.token_sha256)
    certified = parity is not None or entry.reference_id is None
    status, reason = judge_speed(load, certified, answered_from_cache(parts), shared)
    trained = entry.cell.weights == "trained"
    quality = measure_quality(answers, manifest.class_names) if trained else None
    return Result(
        cell=entry.cell,
        status=status,
        reason=reason,
        data=entry.task.data.card,
        fit=manifest.fit,
        classifier_sha256=entry.classifier.sha256,
        classifier_kind=manifest.kind,
        base_origin=manifest.base_origin,
        session=first.session,
        quality=quality,
        warnings=(*quality_warnings(quality), *constraint_warnings(first.free_writing)),
        load=load if certified else {},
        parity=parity,
        free_writing=first.free_writing,
        predictions_file=f"predictions/{entry.cell.id}.parquet" if trained else None,
        token_sha256=first.token_sha256,
        predict_s=first.predict_s,
        test_items=entry.items,
        failed_requests=first.failed_requests,
        work=first.work,
        tuning=entry.tuning,
        beside_others=any(summary.beside_others for summary in load.values()),
        finished_at=_now(),
    )


def _certificate(entry: Entry, answers: Answers, reference: Reference, token_sha256: str | None) -> Parity:
    known = token_sha256 is not None and reference.token_sha256 is not None
    return certify(
        reference.answers,
        answers,
        precision=entry.engine.precision,
        reference_name=reference.name,
        same_tokens=token_sha256 == reference.token_sha256 if known else None,
    )


def _unanswered(entry: Entry, part: MeasuredPart) -> str:
    """Why there is no quality: a text without an answer is not a wrong answer."""
    failures = describe_failures(part.failed_requests)
    return f"{part.unanswered} of {entry.items} texts got no answer: {failures}; --retry asks again"


def _no_valid_answer(entry: Entry) -> str:
    why = "names a class" if entry.classifier.kind in WRITING_KINDS else "has finite scores (they are NaN or infinite)"
    return f"no valid answer: none of {entry.items} {why}"


def answered_from_cache(parts: Sequence[MeasuredPart]) -> str | None:
    """Why the rates are those of texts seen before; the low end of the speed-up speaks, the median is shown."""
    for part in parts:
        limit = CACHED_REMOTELY if part.session.device == REMOTE else CACHED
        if (part.least_repeat_speedup or 0.0) > limit:
            return f"a text is answered {part.repeat_speedup:.2g} times faster the second time: from a cache"
    return None


def judge_speed(
    load: dict[str, LoadSummary], certified: bool, cached: str | None, shared: bool
) -> tuple[Status, str | None]:
    """Whether the rates of a result can be believed, and why not; `cached`: why they are those of a cache.

    `shared`: the parts of one run give each other the whole machine, so that a rate measured beside others is none.
    """
    if not certified:
        return Status.INVALID, "no parity certificate: the reference engine gave no answers for this classifier"
    if cached:
        return Status.INVALID, cached
    for name, summary in load.items():
        if not summary.valid:
            return Status.INVALID, f"{name}: {summary.verdict}"
    for name, summary in load.items():
        spread = (summary.rate_high_rps - summary.rate_low_rps) / summary.rate_rps
        if len(summary.runs) >= MINIMUM_REPEATS_FOR_SPREAD and spread > UNSTABLE_SPREAD:
            return Status.UNSTABLE, f"{name}: the runs' rates differ by {spread:.0%} of their median"
    for summary in load.values():
        if shared and summary.crowding and summary.beside_others:
            return Status.UNSTABLE, summary.crowding.described
    return Status.OK, None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
