"""Measures one engine in a process of its own: answers the test items, then runs the LoadGen scenarios."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from bench.classifiers.folder import load_classifier, verify_classifier
from bench.data.prepared import open_dataset
from bench.execution.sessions import open_session
from bench.machine.threads import set_threads
from bench.plan.tiers import Tier
from bench.quality.parity import certify_constraint
from bench.results.records import Answers, MeasuredPart, SessionCard
from bench.results.speed_records import LoadRun, Work
from bench.results.store import write_answers, write_latencies
from bench.speed.flops import flops_per_text
from bench.speed.limits import machine_limits
from bench.speed.loadgen import run_scenario
from bench.speed.server_scenario import run_server
from bench.speed.warmup import repeat_speedup
from bench.types import (
    REMOTE,
    Classifier,
    Dataset,
    EngineSpec,
    FreeSession,
    Prediction,
    Progress,
    Scenario,
    Session,
    Split,
    Workplace,
)

ANSWER_WINDOW = 2048
VALIDATION_TEXTS = 2000
BYTES_PER_WEIGHT = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}
WARMUP_TEXTS = 512


@dataclass(frozen=True)
class MeasureTask:
    """Everything a measuring process needs; files are written where it says."""

    classifier_folder: Path
    engine: EngineSpec
    data_folder: Path
    items: int
    scenarios: tuple[Scenario, ...]
    tier: Tier
    repeat: int
    place: Workplace
    answers_file: Path | None
    validation_file: Path | None
    latencies_folder: Path
    latencies_name: str
    loadgen_folder: Path


def measure(task: MeasureTask, progress: Progress) -> MeasuredPart:
    """Load one engine, answer the test items, then run the LoadGen scenarios over their texts."""
    set_threads(task.place.threads)
    progress("opening data and classifier", 0, 1)
    data = open_dataset(task.data_folder)
    test = data.test.take(np.arange(task.items))
    classifier = replace(load_classifier(task.classifier_folder), examples=data.train.texts[:WARMUP_TEXTS])
    verify_classifier(classifier)
    progress(f"loading into {task.engine.name}", 0, 1)
    session = open_session(classifier, task.engine, task.place)
    try:
        predict_s = tokens = None
        if task.answers_file is not None:
            started = time.perf_counter()
            answers = _answer(session.predict, test, "answering the test items", progress)
            predict_s = time.perf_counter() - started
            write_answers(task.answers_file, answers)
            if task.validation_file is not None:
                write_answers(task.validation_file, _answer_validation(session, data, progress))
            tokens = answers.prediction.token_counts
        clock = session.clock
        failed_requests, retried_requests = dict(clock.failed_requests), dict(clock.retried_requests)
        unanswered = clock.unanswered
        free = None
        if task.answers_file is not None and classifier.is_constrained and isinstance(session, FreeSession):
            free = certify_constraint(answers, _answer(session.predict_freely, test, "answering them freely", progress))
            session.clock.reset()
        invalid = 0 if task.answers_file is None else int((answers.prediction.labels < 0).sum())
        scenarios = () if unanswered or invalid == len(test) else task.scenarios
        runs = tuple(_run(task, scenario, session, test, data.train, progress) for scenario in scenarios)
        card = _card(session, task.place.device)
        progress("counting the work", 0, 1)
        counted = runs and card.device != REMOTE and card.precision in BYTES_PER_WEIGHT
        work = _work(task, classifier, test, tokens, card.precision, runs, progress) if counted else None
        progress("asking texts twice", 0, 1)
        speedup, least_speedup = repeat_speedup(session, data.train.texts) if runs else (None, None)
        progress("hashing the tokens", 0, 1)
        return MeasuredPart(
            session=card,
            token_sha256=session.token_sha256(test.texts),
            predict_s=predict_s,
            items=task.items,
            runs=tuple(_with_shares(run, work) for run in runs) if work else runs,
            work=work,
            repeat_speedup=speedup,
            least_repeat_speedup=least_speedup,
            failed_requests=failed_requests,
            retried_requests=retried_requests,
            unanswered=unanswered,
            invalid=invalid,
            free_writing=free,
        )
    finally:
        session.close()


def _answer_validation(session: Session, data: Dataset, progress: Progress) -> Answers:
    """What thresholds and temperatures are chosen by: of a long split as many of every part, as it may be sorted."""
    split = data.validation
    rows = np.linspace(0, len(split) - 1, min(len(split), VALIDATION_TEXTS)).astype(int)
    return _answer(session.predict, split.take(rows), "answering validation items", progress)


def _answer(predict: Callable[[Sequence[str]], Prediction], test: Split, what: str, progress: Progress) -> Answers:
    """What the engine answers; scores that are no finite numbers are no valid answer, whichever label they gave."""
    windows = []
    for start in range(0, len(test), ANSWER_WINDOW):
        progress(what, start, len(test))
        windows.append(predict(test.texts[start : start + ANSWER_WINDOW]))
    probabilities = np.concatenate([window.probabilities for window in windows])
    finite = np.isfinite(probabilities).all(axis=1)
    probabilities[~finite] = 1 / probabilities.shape[1]
    prediction = Prediction(
        probabilities=probabilities,
        labels=np.where(finite, np.concatenate([window.labels for window in windows]), -1),
        token_counts=np.concatenate([window.token_counts for window in windows]),
        truncated=np.concatenate([window.truncated for window in windows]),
        endings=_join_endings(windows),
    )
    return Answers(ids=test.ids, labels=test.labels, prediction=prediction)


def _join_endings(windows: Sequence[Prediction]) -> np.ndarray | None:
    endings = [window.endings for window in windows if window.endings is not None]
    return np.concatenate(endings) if endings else None


def _run(
    task: MeasureTask, scenario: Scenario, session: Session, test: Split, train: Split, progress: Progress
) -> LoadRun:
    log_folder = task.loadgen_folder / f"{task.latencies_name}.{scenario}"
    run, latencies_ns = (run_server if scenario == "server" else partial(run_scenario, scenario=scenario))(
        session=session,
        texts=test.texts,
        warmup_texts=train.texts[:WARMUP_TEXTS],
        tier=task.tier,
        seed=task.repeat,
        log_folder=log_folder,
        progress=progress,
    )
    if not len(latencies_ns):
        return run
    name = f"{task.latencies_name}.{scenario}.parquet"
    write_latencies(task.latencies_folder / name, latencies_ns)
    return run.model_copy(update={"latencies_file": f"{task.latencies_folder.name}/{name}"})


def _work(
    task: MeasureTask,
    classifier: Classifier,
    test: Split,
    tokens: np.ndarray | None,
    precision: str,
    runs: tuple[LoadRun, ...],
    progress: Progress,
) -> Work | None:
    """What the test texts take and what this machine could do; after the runs, which it would disturb."""
    counted = flops_per_text(classifier, test.texts, tokens)
    if counted is None:
        return None
    progress("measuring the machine's limits", 0, 1)
    flops, architecture = counted
    return Work(
        flops_per_text=flops,
        weight_bytes=architecture.weights * BYTES_PER_WEIGHT[precision],
        limits=machine_limits(
            task.place.device,
            task.place.threads,
            precision,
            task.place.cache,
            flops * max(run.rate_rps for run in runs),
        ),
    )


def _with_shares(run: LoadRun, work: Work) -> LoadRun:
    passes_per_s, limits = run.passes_per_s, work.limits
    return run.model_copy(
        update={
            "matmul_share": run.rate_rps * work.flops_per_text / limits.matmul_flops_per_s,
            "memory_share": passes_per_s and passes_per_s * work.weight_bytes / limits.memory_bytes_per_s,
        }
    )


def _card(session: Session, device: str) -> SessionCard:
    info = session.info
    return SessionCard(
        load_s=info.load_s,
        convert_s=info.convert_s,
        device=info.device,
        precision=info.precision,
        threads=info.threads,
        artifact_bytes=info.artifact_bytes,
        peak_rss_bytes=None,  # memory_job measures it, in a process without export and tests
        peak_device_bytes=_peak_device_bytes() if device == "cuda" else None,
        details=dict(info.details),
    )


def _peak_device_bytes() -> int | None:
    """Peak of torch's allocator; None for an engine that allocates past it."""
    import torch

    return int(torch.cuda.max_memory_allocated()) or None
