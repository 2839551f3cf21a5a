"""The processes that benchmarks measure engines in: one that fails says why, and the others go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_workers import Worker, WorkerFailed
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

    limits = measurement.ask("eager", "limits")
    assert set(limits) == ({"fp32", "bf16"} if has_fast_bf16("cpu") else {"fp32"})
    with pytest.raises(WorkerFailed, match="AttributeError"):
        workers["eager"].ask("no such question")
    assert workers["eager"].ask("predictions", ["goal", "bank"])[1].shape == (2, 3)
    workers["eager"]._process.kill()
    assert measurement.ask("eager", "ready") is None
    assert "its process ended with code -9" in measurement.failures["eager"]
