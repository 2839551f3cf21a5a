"""Holds one engine in a process of its own and takes turns: a line of JSON in, a line of JSON out.

`python -P -m bench.gates.worker` runs under any interpreter and any checkout of the harness, so that the code and the
libraries of the base can differ from those of the head.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.classifiers.folder import load_classifier, verify_classifier
from bench.data.prepared import open_dataset
from bench.errors import BenchError
from bench.execution.sessions import open_session
from bench.machine.companions import hide_unfit_companions
from bench.machine.threads import set_threads
from bench.plan.engines import load_engines
from bench.speed.loadgen import drive
from bench.speed.mlperf import turn_settings
from bench.speed.warmup import warm_up
from bench.types import EngineSpec, Record, Scenario, Workplace

WARMUP_TEXTS = 512
PROTOCOL = 2  # 1: no texts were named, each side drew the same few every turn


class WorkerTask(Record):
    """What a worker loads. `engine_spec` stands for an engine that engines.toml does not have; paths are absolute."""

    classifier: Path
    engine: str
    engine_spec: EngineSpec | None = None
    data_folder: Path
    items: int
    device: str
    threads: int
    cache: Path


class Turn(Record):
    """The places of the test texts of a turn, the same for all workers; each is answered once.

    For `single` they are a query each, for `offline` one query together; `seed` is that of their order.
    """

    scenario: Scenario
    texts: tuple[int, ...]
    seed: int


class Server:
    """A loaded session and the texts it is asked about."""

    def __init__(self, task: WorkerTask) -> None:
        set_threads(task.threads)
        data = open_dataset(task.data_folder)
        self.texts: Sequence[str] = data.test.texts[: task.items]
        self.ids = data.test.ids[: task.items]
        self.warmup_texts: Sequence[str] = data.train.texts[:WARMUP_TEXTS]
        classifier = replace(load_classifier(task.classifier), examples=tuple(self.warmup_texts))
        verify_classifier(classifier)
        engine = task.engine_spec or load_engines()[task.engine]
        self.session = open_session(classifier, engine, Workplace(task.device, task.threads, task.cache))
        self._scratch = tempfile.TemporaryDirectory(prefix="bench-turns-")
        gc.collect()
        gc.freeze()  # what is loaded by now need not be looked through before every turn

    def warm_up(self, scenario: Scenario) -> float:
        """The steady rate in texts/s after the warm-up of a measured run."""
        return warm_up(self.session, scenario, self.warmup_texts).rate_rps

    def answers(self) -> dict[str, list[int]]:
        """Ids of the test items and the labels given."""
        return {"ids": self.ids.tolist(), "labels": self.session.predict(self.texts).labels.tolist()}

    def turn(self, turn: Turn) -> dict[str, float | None]:
        """Seconds a text, driven by LoadGen; the shares by which others held it up and that they had of the cores."""
        gc.collect()
        texts = [self.texts[place] for place in turn.texts]
        settings = turn_settings(turn.scenario, len(texts), turn.seed)
        driver = drive(self.session, turn.scenario, texts, settings, Path(self._scratch.name))
        crowd = driver.crowding
        return {
            "seconds": driver.duration_s / driver.samples,
            "held_up": crowd.held_up if crowd else None,
            "others": crowd.others_share if crowd else None,
        }


def main() -> None:
    """Serve the parent until it closes the pipe; what libraries print goes to stderr."""
    hide_unfit_companions()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    server: Server | None = None
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if server is None:
                server = Server(WorkerTask.model_validate(question))
                answer: Any = {"protocol": PROTOCOL, "lengths": list(map(len, server.texts))}
            elif "answers" in question:
                answer = server.answers()
            elif "warm_up" in question:
                answer = {"rate_rps": server.warm_up(question["warm_up"])}
            else:
                answer = server.turn(Turn.model_validate(question))
        except Exception as error:
            text = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
            answer = {"error": " ".join(text.split())}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
