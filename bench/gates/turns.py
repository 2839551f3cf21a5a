"""Runs the speed gate: base, base again and head side by side in three processes, by turns, on one machine."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.gates.speed_rules import SMALLEST_BAR, Crowd, base_noise, judge_turns
from bench.gates.turn_texts import TurnTexts
from bench.gates.worker import PROTOCOL, Turn, WorkerTask
from bench.results.verdicts import SpeedJudgement
from bench.types import Scenario

TURN_S: dict[Scenario, float] = {"single": 0.1, "offline": 0.1}
FEWEST_TEXTS = 4  # a turn: of every quarter of the lengths one, also where each takes long
FEWEST_TURNS = 30
MOST_TURNS = 120
LOOK_EVERY = 15
QUIET = SMALLEST_BAR / 4  # the smallest bar is four standard errors of base against base
ANSWERED = ("seconds", "held_up", "others")  # of a turn, by a worker
HERE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Side:
    """One of the two things compared: what to load, under which interpreter, with which checkout of the harness."""

    task: WorkerTask
    python: Path = Path(sys.executable)
    source: Path = HERE


@dataclass(frozen=True)
class Turns:
    """What turns took: seconds a text, float (turns, workers), and how crowded the machine was meanwhile."""

    seconds: np.ndarray
    crowd: Crowd


class SpeedWorker:
    """The parent's end of a process that holds one engine."""

    def __init__(self, side: Side, log: Path) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own interpreter on our own module
                [str(side.python), "-P", "-m", "bench.speed_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=os.environ | {"PYTHONPATH": str(side.source)} | _threads(side.task.threads),
                start_new_session=True,  # Ctrl-C is for the command, which ends its workers
            )
        self._task = side.task
        self.lengths: tuple[int, ...] = ()

    def __enter__(self) -> SpeedWorker:
        ready = self.ask(self._task.model_dump(mode="json"))
        if ready.get("protocol") != PROTOCOL:
            self.__exit__()
            raise BenchError(
                f"{self._task.engine}: the base's checkout of the harness draws the turns' texts otherwise; take one "
                "with the same version of the speed gate as this one"
            )
        self.lengths = tuple(ready["lengths"])
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Raises BenchError when the process cannot answer."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise BenchError("the speed gate's process has no pipes")
        try:
            stdin.write(json.dumps(question) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise BenchError(f"the speed gate's process for {self._task.engine} died; log: {self._log}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchError(f"{self._task.engine}: {answer['error']}; log: {self._log}")
        return answer


def _threads(threads: int) -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    return dict.fromkeys(names, str(threads))


def compare_speed(
    base: Side,
    head: Side,
    scenarios: Sequence[Scenario],
    log: Path,
    progress: Callable[[str, int, int], None],
    most_turns: int = MOST_TURNS,
) -> tuple[SpeedJudgement, ...]:
    """Judge every scenario; raises BenchError when one of the engines cannot be loaded or fails."""
    with ExitStack() as stack:
        progress("loading base, base again and head", 0, 1)
        workers = [stack.enter_context(SpeedWorker(side, log)) for side in (base, base, head)]
        found = []
        for scenario in scenarios:
            turns = take_turns(workers, scenario, most_turns, progress)
            base_s, again_s, head_s = turns.seconds.T
            found.append(judge_turns(scenario, base_s, again_s, head_s, turns.crowd))
        return tuple(found)


def take_turns(
    workers: Sequence[SpeedWorker],
    scenario: Scenario,
    most_turns: int,
    progress: Callable[[str, int, int], None],
    seed: int = 0,
) -> Turns:
    """What the workers took: in random order within a turn, every turn on fresh texts of all lengths.

    The first two workers run the base. It goes on until base against base differs by at most 2.5 %, or
    `most_turns` are taken. The head has no part in that decision, so looking again does not favour a verdict.
    """
    rates = [worker.ask({"warm_up": scenario})["rate_rps"] for worker in workers]
    texts = TurnTexts(workers[0].lengths, max(FEWEST_TEXTS, round(TURN_S[scenario] * float(np.median(rates)))), seed)
    order, taken = random.Random(seed), np.zeros((0, len(workers), len(ANSWERED)))
    while len(taken) < most_turns:
        progress(f"{scenario} by turns", len(taken), most_turns)
        turn = Turn(scenario=scenario, texts=texts.draw(len(taken)), seed=seed + len(taken))
        row = np.empty(taken.shape[1:])
        for place in order.sample(range(len(workers)), len(workers)):
            answer = workers[place].ask(turn.model_dump())
            row[place] = [answer.get(name, np.nan) for name in ANSWERED]  # None, of a base that does not watch: NaN too
        taken = np.concatenate([taken, row[None]])
        seconds = taken[..., 0]
        enough = len(seconds) >= FEWEST_TURNS and (len(seconds) - FEWEST_TURNS) % LOOK_EVERY == 0
        if enough and base_noise(seconds[:, 0], seconds[:, 1]) <= QUIET:
            break
    return Turns(seconds=taken[..., 0], crowd=Crowd(held_up=taken[..., 1], others=taken[..., 2]))
