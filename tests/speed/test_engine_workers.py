"""The processes that benchmarks measure engines in: one that fails says why, and the others go on."""

from __future__ import annotations

from pathlib import Path

import engine_workers
import pytest
from engine_workers import HarnessEngine, Worker, WorkerFailed
from engines import Measurement
from tiny_classifiers import sequence_bert
from tiny_datasets import tiny_dataset

from bench.machine.precision import has_fast_bf16


@pytest.mark.slow
def test_a_failed_engine_is_named_and_the_others_keep_their_rows(tmp_path: Path) -> None:
    classifier = sequence_bert(tmp_path / "classifier")
    workers = {
        "eager": Worker("eager", classifier.path, 1),
        "onnx": Worker("onnx", tmp_path / "missing", 1),
    }
    measurement = Measurement(workers, tiny_dataset(), ["goal"], None, 1.0)
    assert measurement.ask("onnx", "ready") is None
    assert measurement.ask("onnx", "single", ["goal"]) is None
    assert list(measurement.failures) == ["onnx"]
    assert "missing" in measurement.failures["onnx"]
    assert list(measurement.workers) == ["eager"]

    with pytest.raises(WorkerFailed, match="AttributeError"):
        workers["eager"].ask("no such question")
    assert workers["eager"].ask("predictions", ["goal", "bank"])[1].shape == (2, 3)
    workers["eager"]._process.kill()
    assert measurement.ask("eager", "ready") is None
    assert "its process ended with code -9" in measurement.failures["eager"]


@pytest.mark.parametrize("bf16", [has_fast_bf16("cpu"), False])
def test_limits_are_measured_in_the_precisions_that_the_cpu_has(bf16: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """oneDNN refuses to lay out bf16 weights on a CPU with AVX2 only, which ended a whole measurement."""
    monkeypatch.setattr(engine_workers, "has_fast_bf16", lambda device: bf16)
    monkeypatch.setattr(engine_workers, "undisturbed_s", lambda work: work() or 1.0)
    rates = HarnessEngine.limits(None)  # type: ignore[arg-type]
    assert set(rates) == ({"fp32", "bf16"} if bf16 else {"fp32"})
