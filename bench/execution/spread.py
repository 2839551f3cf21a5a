"""Runs a request by this process alone, as a part of a run, or by a crew of workers here or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bench.errors import UsageError
from bench.execution.console import RunConsole
from bench.execution.crew import Crew, LocalCrew
from bench.execution.launching import Launch
from bench.execution.processes import Workers
from bench.execution.run import run_plan
from bench.execution.schedule import Budget
from bench.execution.sharing import sharing_of, workplace
from bench.execution.slots import slots_of
from bench.machine.threads import usable_cores
from bench.plan.choices import check_request
from bench.plan.plan import Plan, make_plan
from bench.plan.request import RunRequest
from bench.plan.shards import Shard
from bench.results.records import Result

Executor = Literal["local", "ray"]


@dataclass(frozen=True)
class Spread:
    """How a run is spread over workers; as it is, this process does all.

    shard: the part that this process does. store: what all share, a folder or URL. jobs, devices: workers of this
    machine, see slots_of. ray_address: None for a Ray of this machine; ray_accelerator: of the nodes that are taken.
    with_classifiers: bring those that others trained to this machine, which their results do not need.
    """

    shard: Shard | None = None
    store: str | None = None
    jobs: int | None = None
    devices: str | None = None
    executor: Executor = "local"
    ray_address: str | None = None
    ray_accelerator: str | None = None
    with_classifiers: bool = False

    @property
    def by_crew(self) -> bool:
        """Whether other processes do the work."""
        return self.executor == "ray" or self.devices is not None or (self.jobs or 1) > 1

    def check(self, request: RunRequest) -> None:
        """Raises UsageError for what does not go together."""
        on_ray = self.executor == "ray"
        if (self.shard or self.by_crew) and request.autotune:
            named = "--shard" if self.shard else "several workers"
            raise UsageError(f"--autotune and {named}: each would find settings of its own; leave one of them out")
        if self.shard and self.by_crew:
            raise UsageError("--shard is one worker; leave --executor, --jobs and --devices to a run without it")
        if on_ray and (self.jobs or self.devices):
            raise UsageError("--executor ray has a worker a node or GPU; leave --jobs and --devices out")
        if not on_ray and (self.ray_address or self.ray_accelerator):
            raise UsageError("--ray-address and --ray-accelerator belong to --executor ray")
        if self.devices and request.device == "cpu":
            raise UsageError(f"--devices {self.devices} and --device cpu: leave one of them out")


def run_request(
    request: RunRequest,
    console: RunConsole,
    spread: Spread,
    page: Callable[[Path], object],
    budget: Budget | None = None,
) -> tuple[Plan, tuple[Result, ...]]:
    """The plan as it was run, and its results in the plan's order; `page` writes the leaderboard of what is there."""
    if spread.devices:
        request = request.model_copy(update={"device": "cuda"})
    spread.check(request)
    check_request(request)
    console.start("preparing the data")
    if spread.by_crew:
        plan = make_plan(request, console.progress)
        crew = _crew(spread, plan.device)
        launch = Launch(request, crew, spread.store, lambda: page(plan.out), spread.with_classifiers)
        return plan, launch.run(plan, console)
    workers = Workers(request.threads or usable_cores())  # they import torch while the data is read
    plan = make_plan(request, console.progress)
    with sharing_of(plan.out, spread.shard, spread.store, spread.with_classifiers) as sharing:
        plan = replace(plan, out=workplace(plan.out, spread.shard))
        return plan, run_plan(plan, console, workers, budget, sharing)


def _crew(spread: Spread, device: str) -> Crew:
    if spread.executor == "ray":
        from bench.execution.ray_crew import RayCrew

        return RayCrew(spread.ray_address, device, spread.ray_accelerator)
    return LocalCrew(slots_of(spread.devices, spread.jobs))
