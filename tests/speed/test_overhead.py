"""What the harness costs beside the engine: figures that pytest-benchmark reports; no time is asserted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from overhead import TEXTS, drive_no_op
from pytest_benchmark.fixture import BenchmarkFixture
from tiny_models import save_tokenizer

from backends.shared.batched import BatchedSession, BatchLimits
from bench.text.batching import pack, pad
from bench.text.tokens import TextTokenizer
from bench.types import Scenario, SessionInfo

LIMITS = BatchLimits()


@pytest.mark.parametrize("scenario", ["single", "offline"])
def test_loadgen_with_an_engine_that_does_nothing(
    benchmark: BenchmarkFixture, scenario: Scenario, tmp_path: Path
) -> None:
    run = benchmark.pedantic(drive_no_op, (scenario, tmp_path, "sample"), rounds=1)
    benchmark.extra_info["rate_rps"] = run.rate_rps
    assert run.samples > 0
    assert run.valid, run.verdict


@pytest.fixture()
def tokenizer(tmp_path: Path) -> TextTokenizer:
    save_tokenizer(tmp_path)
    return TextTokenizer.from_file(tmp_path / "tokenizer.json", 32)


def forward(input_ids: np.ndarray, attention_mask: np.ndarray) -> np.ndarray:
    """No model: what is timed is everything around it."""
    return np.zeros((len(input_ids), 2), dtype=np.float32)


@pytest.mark.benchmark(group="1,000 texts through a forward pass that does nothing")
def test_a_session(benchmark: BenchmarkFixture, tokenizer: TextTokenizer) -> None:
    session = BatchedSession(tokenizer, forward, LIMITS, SessionInfo(load_s=0.0), classes=2)
    assert len(benchmark(session.predict, TEXTS).labels) == len(TEXTS)


@pytest.mark.benchmark(group="1,000 texts through a forward pass that does nothing")
def test_the_same_by_hand(benchmark: BenchmarkFixture, tokenizer: TextTokenizer) -> None:
    def by_hand() -> np.ndarray:
        encoded = tokenizer.encode(TEXTS)
        logits = np.empty((len(TEXTS), 2), dtype=np.float32)
        for rows in pack(encoded.lengths, LIMITS.token_budget, LIMITS.max_batch):
            logits[rows] = forward(*pad(encoded.ids, rows, tokenizer.pad_id))
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    assert benchmark(by_hand).shape == (len(TEXTS), 2)


def test_help_starts_without_torch(benchmark: BenchmarkFixture) -> None:
    code = "import sys; sys.argv = ['bench', '--help']\ntry:\n from bench.cli.main import main; main()\nfinally:\n"
    code += " assert 'torch' not in sys.modules"
    benchmark.pedantic(
        subprocess.run, ([sys.executable, "-c", code],), {"check": True, "capture_output": True}, rounds=3
    )
