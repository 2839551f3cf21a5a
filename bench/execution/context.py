"""Holds what every step of a run shares: the plan, the console, the workers, the folders."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.execution.console import RunConsole
from bench.execution.processes import Outcome, Workers
from bench.execution.schedule import Budget
from bench.execution.sharing import Sharing
from bench.machine.sole_use import machine_held
from bench.plan.plan import Plan
from bench.results.records import Status

JOBS = "jobs.jsonl"


@dataclass(frozen=True)
class Context:
    """One run's surroundings; `cache` is shared by all runs, `out` and `logs` belong to this one.

    `sharing`: where the run's trainings and cells are divided among several workers; None for a run of its own.
    """

    plan: Plan
    console: RunConsole
    workers: Workers
    cache: Path
    logs: Path
    budget: Budget = field(default_factory=Budget)
    sharing: Sharing | None = None

    @property
    def out(self) -> Path:
        return self.plan.out

    @property
    def _gpu(self) -> str | None:
        """The one GPU that this process sees, which it then measures; None for the whole machine."""
        seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        return seen if self.plan.device == "cuda" and seen and "," not in seen else None

    def run(
        self,
        title: str,
        job: Callable[..., Any],
        argument: Any,
        limit_s: float,
        log_name: str,
        always: bool = False,
        alone: bool = False,
        fresh: bool = False,
    ) -> Outcome:
        """Run one job in its own process, its progress on the console, its output in a log of its own.

        What took how long is a line of jobs.jsonl beside the logs. A job that a budget cuts short is SKIPPED;
        none does where it is to run `always`. Where other shards may be on this machine, a job whose seconds are a
        figure has it `alone`. `fresh`: in a process that has imported nothing yet.
        """
        self.console.start(title)
        log = self.logs / f"{log_name}.log"
        with machine_held(alone, self._gpu) if self.sharing else nullcontext():
            cut_s = limit_s if always else self.budget.job_limit_s(limit_s)
            outcome = self.workers.run(job, (argument,), cut_s, log, self.console.progress, fresh)
        if outcome.status is Status.TIMEOUT and cut_s < limit_s:
            outcome = replace(outcome, status=Status.SKIPPED, reason=self.budget.used_up(), over_budget=True)
        record = {
            "title": title,
            "job": job.__name__,
            "status": outcome.status,
            "wall_s": round(outcome.wall_s, 3),
            "phases": [asdict(phase) for phase in outcome.phases],
        }
        with (self.logs / JOBS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        return outcome
