"""The memory of a row is that of a fresh process that loads and answers: no export, no library of another engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import process_jobs
import pytest
from own_data_runs import assert_measured, own_data
from tiny_classifiers import linear, sequence_bert, tiny_texts

import bench
from bench.execution.memory_job import MemoryTask, longest_texts, measure_memory
from bench.execution.processes import Outcome, Workers
from bench.machine.memory import peak_bytes
from bench.plan.engines import load_engines
from bench.results.records import Status
from bench.types import Classifier, Workplace

TEXTS = tuple(tiny_texts(40))
MIB = 1 << 20


@pytest.fixture(scope="module")
def workers() -> Workers:
    return Workers(threads=1)


def task(classifier: Classifier, engine: str, cache: Path) -> MemoryTask:
    return MemoryTask(classifier.path, load_engines()[engine], Workplace("cpu", 1, cache), TEXTS, TEXTS)


def fresh(workers: Workers, tmp_path: Path, job: Any, argument: Any) -> Outcome:
    return workers.run(job, (argument,), 300, tmp_path / "job.log", lambda *_: None, fresh=True)


def test_a_bag_of_words_is_measured_without_torch(workers: Workers, tmp_path: Path) -> None:
    """This process has imported torch, and so has the fork server that other jobs start from."""
    outcome = fresh(
        workers, tmp_path, process_jobs.modules_after_measuring, task(linear(tmp_path / "l"), "sklearn", tmp_path)
    )
    assert outcome.status is Status.OK, outcome.reason
    modules, peak = outcome.payload
    assert "sklearn" in modules
    assert not {"torch", "transformers"} & set(modules)
    assert 20 * MIB < peak < peak_bytes()


def test_memory_of_the_process_that_started_it_does_not_count(workers: Workers, tmp_path: Path) -> None:
    argument = task(linear(tmp_path / "l"), "sklearn", tmp_path)
    alone = fresh(workers, tmp_path, measure_memory, argument).payload
    ballast = np.ones(600 * MIB, np.uint8)
    beside = fresh(workers, tmp_path, measure_memory, argument).payload
    assert peak_bytes() > len(ballast)
    assert abs(beside - alone) < 30 * MIB


@pytest.mark.slow
def test_an_export_does_not_count(workers: Workers, tmp_path: Path) -> None:
    """Measured after the export, as runs do, the figure is the same as with the file from another run."""
    pytest.importorskip("onnxruntime")
    classifier = sequence_bert(tmp_path / "bert")
    argument = task(classifier, "onnx", tmp_path / "cache")
    exporting = fresh(workers, tmp_path, measure_memory, argument)
    assert exporting.status is Status.OK, exporting.reason
    first, second = (fresh(workers, tmp_path, measure_memory, argument).payload for _ in range(2))
    assert exporting.payload > 1.2 * first
    assert abs(first - second) < 0.05 * first


def test_processes_that_the_engine_starts_count(workers: Workers, tmp_path: Path) -> None:
    outcome = fresh(workers, tmp_path, process_jobs.peak_with_child, 200 * MIB)
    own, with_child = outcome.payload
    assert with_child - own > 200 * MIB


def test_a_process_s_peak_is_its_own_and_not_its_starter_s() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "input(print('up', flush=True) or '')"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout
        assert child.stdout.readline() == b"up\n"  # before that it need not have any memory yet
        assert 1 * MIB < peak_bytes(child.pid) < 60 * MIB < peak_bytes()
    finally:
        child.communicate(b"\n")


def test_a_process_that_is_gone_has_none() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert peak_bytes(child) == 0


@pytest.mark.parametrize(("device", "texts"), [("cpu", 6), ("cuda", 96)])
def test_a_batch_of_the_longest_texts_is_answered(device: str, texts: int) -> None:
    given = [*["short"] * 50, *["x" * 1000] * 200, "y" * 1001]
    chosen = longest_texts(given, device)
    assert chosen[0] == "y" * 1001
    assert len(chosen) == texts
    assert longest_texts(["a", "ccc", "bb"], device) == ("ccc", "bb", "a")
    assert len(longest_texts(["a"] * 5000, "cpu")) == 64


def test_a_measurement_that_dies_leaves_the_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure is missing with its reason; everything else that was measured stands."""
    start = Workers.run

    def killed(workers: Workers, job: Any, arguments: Any, *rest: Any, **more: Any) -> Outcome:
        if job is measure_memory:
            job, arguments = process_jobs.kill_itself, (signal.SIGKILL,)
        return start(workers, job, arguments, *rest, **more)

    monkeypatch.setattr(Workers, "run", killed)
    [row] = bench.run(
        data=own_data(tmp_path), methods=["tfidf"], tier="sample", out=tmp_path / "run", progress=False
    ).results()
    assert_measured(row)
    assert row.quality is not None
    assert row.session is not None
    assert row.session.peak_rss_bytes is None
    assert "killed by the system (SIGKILL)" in str(row.session.peak_rss_missing)
