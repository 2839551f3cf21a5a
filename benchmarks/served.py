"""What it costs to be served: vLLM's classifier asked over HTTP against the same in its own process.

    BENCH_DATA=DIR python benchmarks/served.py --classifier DIR [--vllm-python PYTHON] [--out benchmarks/served.md]

Both hold the same weights and read the same token ids of AG News test texts; they are timed by turns, one idle while
the other computes. Server, client and model share the machine's cores, so that the seconds of processor time a text
takes in each process say where the rest of the rate goes, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from servers import Server, vllm_environment, vllm_server

from backends.endpoint.engine import EndpointBackend
from bench.classifiers.folder import load_classifier
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.machine.companions import hide_unfit_companions
from bench.machine.environment import cpu_card
from bench.machine.threads import usable_cores
from bench.plan.engines import load_engines
from bench.text.tokens import load_tokenizer
from bench.types import Session, Workplace

MOST_OVERHEAD = 0.10
INSIDE = "in process"
DEFAULT = "the default: up to 16 texts a request, 8 in flight"
WAYS: dict[str, tuple[int | None, int]] = {
    "1 text a request, 8 in flight": (1, 8),
    "1 text a request, 32 in flight": (1, 32),
    "8 texts a request, 8 in flight": (8, 8),
    DEFAULT: (None, 8),
    "32 texts a request, 4 in flight": (32, 4),
    "128 texts a request, 2 in flight": (128, 2),
}
PARTS = ("engine", "API server", "client")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
IN_PROCESS = """
import json, sys, time
import torch
from vllm import LLM, PoolingParams
folder, threads, ids = sys.argv[1], int(sys.argv[2]), json.load(open(sys.argv[3]))
llm = LLM(model=folder, runner="pooling", dtype="float32", enforce_eager=True, max_model_len=512)
prompts = [{"prompt_token_ids": row} for row in ids]
out, sys.stdout = sys.stdout, sys.stderr
print("ready", file=out, flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    answers = llm.classify(prompts, pooling_params=PoolingParams(use_activation=False), use_tqdm=False)
    assert len(answers) == len(prompts)
    print(time.perf_counter() - started, file=out, flush=True)
"""


class InProcess:
    """vLLM's own loop over all texts, in a process of the environment that has it."""

    def __init__(self, python: str, model: Path, ids: list[list[int]], folder: Path, threads: int) -> None:
        (folder / "ids.json").write_text(json.dumps(ids))
        environment = os.environ | vllm_environment(folder, threads) | {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
        self._process = subprocess.Popen(
            [python, "-c", IN_PROCESS, str(model), str(threads), str(folder / "ids.json")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "in_process.log").open("wb"),
            text=True,
            env=environment,
        )
        while (line := self._line()) != "ready":
            if not line:
                raise SystemExit((folder / "in_process.log").read_text()[-2000:])

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return line.strip() or (" " if line else "")

    def seconds(self) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._line())

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid


@dataclass(frozen=True)
class Turn:
    """Seconds of one turn, and the processor time of each part in it."""

    seconds: float
    cpu_s: dict[str, float]


def cpu_s(pid: int) -> float:
    """User and system time of a process so far, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def descendants(pid: int) -> list[int]:
    """Processes that any thread of this one started, and theirs."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found += [child, *descendants(child)]
    return found


def parts_of(server: Server) -> dict[str, list[int]]:
    """The process that answers HTTP and those below it, which compute; `env` has become the server itself."""
    return {
        "engine": descendants(server.process.pid),
        "API server": [server.process.pid],
        "client": [os.getpid()],
    }


def turn_of(work: Callable[[], float], parts: dict[str, list[int]]) -> Turn:
    before = {part: sum(map(cpu_s, pids)) for part, pids in parts.items()}
    seconds = work()
    return Turn(seconds, {part: sum(map(cpu_s, pids)) - before[part] for part, pids in parts.items()})


def open_session(options: dict[str, Any], folder: Path, texts_per_request: int | None, concurrency: int) -> Session:
    spec = load_engines()["endpoint"]
    settings = {**options, "texts_per_request": texts_per_request, "concurrency": concurrency}
    return EndpointBackend(spec.model_copy(update={"options": settings}), Workplace("cpu", 1, folder)).load(
        load_classifier(folder)
    )


def timed(session: Session, texts: tuple[str, ...]) -> float:
    started = time.perf_counter()
    session.predict(texts)
    if session.clock.failed_requests:
        raise SystemExit(f"failed requests: {session.clock.failed_requests}")
    return time.perf_counter() - started


def main() -> None:
    hide_unfit_companions()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classifier", type=Path, required=True, help="a sequence classifier's folder")
    parser.add_argument("--vllm-python", default=sys.executable)
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    data = prepare_dataset(load_suite("agnews"), None, Limits(train=100, test=chosen.texts), None)
    texts = data.test.texts
    ids = load_tokenizer(load_classifier(chosen.classifier)).encode(texts).ids
    turns: dict[str, list[Turn]] = {name: [] for name in (INSIDE, *WAYS)}
    arguments = ("--runner", "pooling", "--max-model-len", "512")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        inside = InProcess(chosen.vllm_python, chosen.classifier, ids, folder, chosen.threads)
        try:
            with vllm_server(
                chosen.vllm_python, chosen.classifier, folder, *arguments, threads=chosen.threads
            ) as server:
                sessions = {name: open_session(server.options, chosen.classifier, *way) for name, way in WAYS.items()}
                parts = parts_of(server)
                for turn in range(chosen.turns + 1):
                    taken = {INSIDE: turn_of(inside.seconds, {"engine": [inside.pid]})}
                    taken |= {name: turn_of(partial(timed, one, texts), parts) for name, one in sessions.items()}
                    for name, value in taken.items() if turn else ():
                        turns[name].append(value)
                for session in sessions.values():
                    session.close()
        finally:
            inside.stop()
    page = report(turns, len(texts), chosen.threads, sum(map(len, ids)) / len(ids))
    sys.stdout.write(page)
    if chosen.out:
        chosen.out.write_text(page)


def report(turns: dict[str, list[Turn]], texts: int, threads: int, tokens: float) -> str:
    """Median rates, what is lost against the same turn in process, and processor time a text."""
    inside = turns[INSIDE]
    lines = [
        "# What it costs to be served",
        "",
        f"{cpu_card()['model']}, {threads} threads for the model, {usable_cores()} cores for model, server and client "
        "together. Made by `BENCH_DATA=DIR python benchmarks/served.py --classifier DIR`.",
        "",
        "vLLM, fp32, /classify over HTTP on loopback through the engine `endpoint`, against vLLM's own loop in "
        f"process; {texts} AG News test texts of {tokens:.0f} tokens on average; {len(inside)} turns, medians. The "
        "milliseconds are processor time a text.",
        "",
        f"| how | texts/s | lost | range | {' | '.join(f'{part}, ms' for part in PARTS)} | all, x in process |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    costs = {name: {part: cost_ms(own, part, texts) for part in PARTS} for name, own in turns.items()}
    for name, own in turns.items():
        rate = texts / statistics.median(turn.seconds for turn in own)
        lost = lost_of(inside, own)
        span = " | " if name == INSIDE else f"{statistics.median(lost):.1%} | {min(lost):.1%} to {max(lost):.1%}"
        parts = [f"{cost:.2f}" if cost else "" for cost in costs[name].values()]
        times = sum(costs[name].values()) / sum(costs[INSIDE].values())
        lines.append(f"| {name} | {rate:.0f} | {span} | {' | '.join(parts)} | {times:.2f} |")
    lost = statistics.median(lost_of(inside, turns[DEFAULT]))
    verdict = "reached" if lost < MOST_OVERHEAD else "not reached"
    lines += [
        "",
        f"Target: less than {MOST_OVERHEAD:.0%} lost at saturation; {verdict} by the default ({lost:.1%}).",
        "",
    ]
    return "\n".join(lines)


def lost_of(inside: list[Turn], own: list[Turn]) -> list[float]:
    """Share of the rate that is lost, turn by turn."""
    return [1 - one.seconds / other.seconds for one, other in zip(inside, own, strict=True)]


def cost_ms(turns: list[Turn], part: str, texts: int) -> float:
    """Median processor time a text in milliseconds."""
    return 1000 * statistics.median(turn.cpu_s.get(part, 0.0) for turn in turns) / texts


if __name__ == "__main__":
    main()
