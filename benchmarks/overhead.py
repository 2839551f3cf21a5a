"""What the harness itself costs: LoadGen with an engine that does nothing, and a session against a loop by hand.

    BENCH_DATA=DIR python benchmarks/overhead.py [--classifier DIR] [--out benchmarks/overhead.md]

Without --classifier MiniLM is fine-tuned first. The session and the loop compute the same batches, by turns.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from engine_workers import Worker, train_minilm

from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.machine.environment import cpu_card
from bench.machine.threads import set_threads
from bench.plan.tiers import load_tier
from bench.results.speed_records import LoadRun
from bench.speed.loadgen import run_scenario
from bench.types import Prediction, Scenario, SessionInfo, StageClock

ENGINES = ("eager", "packed", "packed-bf16")
TEXTS = [f"a text that nobody reads, number {number}" for number in range(1000)]


class NoOpSession:
    """Answers at once, the same for every text: what is left is the harness."""

    def __init__(self) -> None:
        self.clock = StageClock()
        self.info = SessionInfo(load_s=0.0)
        self._one = self._answer(1)

    def _answer(self, count: int) -> Prediction:
        return Prediction(
            probabilities=np.full((count, 2), 0.5, dtype=np.float32),
            labels=np.zeros(count, dtype=np.int64),
            token_counts=np.ones(count, dtype=np.int32),
            truncated=np.zeros(count, dtype=bool),
        )

    def predict(self, texts: Sequence[str]) -> Prediction:
        return self._one if len(texts) == 1 else self._answer(len(texts))

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        return None

    def recompiles(self) -> int | None:
        return None

    def close(self) -> None:
        """Nothing was opened."""


def drive_no_op(scenario: Scenario, folder: Path, tier: str = "quick") -> LoadRun:
    """One LoadGen run of an engine that does nothing, through the same path as every other engine's."""
    run, _ = run_scenario(NoOpSession(), scenario, TEXTS, TEXTS[:64], load_tier(tier), 0, folder, lambda *_: None)
    return run


def main() -> None:
    arguments = _arguments()
    set_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        no_op = drive_no_op("single", Path(scratch))
        data = prepare_dataset(load_suite("agnews"), arguments.data, Limits(train=3000), None)
        folder = arguments.classifier or train_minilm(data, Path(scratch) / "minilm", arguments.threads)
        ratios = {engine: _session_ratios(engine, folder, data.test.texts, arguments) for engine in ENGINES}
    report = render(no_op, ratios, [_help_s() for _ in range(5)], arguments)
    arguments.out.write_text(report, encoding="utf-8")
    print(report)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=None, help="folder with agnews/test.parquet; default BENCH_DATA")
    parser.add_argument("--classifier", type=Path, default=None, help="a sequence classifier instead of training one")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--texts", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    return parser.parse_args()


def _session_ratios(engine: str, folder: Path, texts: Sequence[str], arguments: argparse.Namespace) -> list[float]:
    """Seconds of session.predict over those of the loop by hand, turn by turn."""
    worker, part = Worker(engine, folder, arguments.threads), list(texts[: arguments.texts])
    worker.ask("ready")
    worker.ask("by_hand", part)
    ratios = [worker.ask("offline", part) / worker.ask("by_hand", part) for _ in range(arguments.rounds)]
    worker.stop()
    return ratios


def _help_s() -> float:
    """Wall seconds of `bench --help`, the interpreter's start included."""
    command = [
        sys.executable,
        "-c",
        "import sys; sys.argv = ['bench', '--help']; from bench.cli.main import main; main()",
    ]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def render(no_op: LoadRun, ratios: dict[str, list[float]], help_s: list[float], arguments: argparse.Namespace) -> str:
    """The tables as markdown."""
    lines = [
        "# What the harness costs",
        "",
        f"{cpu_card()['model']}, {arguments.threads} threads. Made by `BENCH_DATA=DIR python benchmarks/overhead.py`.",
        "",
        f"LoadGen `single` with an engine that does nothing: {no_op.rate_rps:,.0f} queries/s for "
        f"{no_op.duration_s:.1f} s, {no_op.verdict}.",
        "",
        f"`session.predict` against a loop by hand over the same batches, {arguments.texts} AG News test texts, "
        f"MiniLM; {arguments.rounds} turns:",
        "",
        "| engine | median overhead | range |",
        "|---|--:|--:|",
    ]
    lines += [
        f"| {name} | {statistics.median(turns) - 1:+.1%} | {min(turns) - 1:+.1%} to {max(turns) - 1:+.1%} |"
        for name, turns in ratios.items()
    ]
    lines += ["", f"`bench --help`: {statistics.median(help_s):.2f} s ({min(help_s):.2f} to {max(help_s):.2f}).", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
