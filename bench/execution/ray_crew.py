"""Starts worker processes on the nodes of a Ray cluster: a Ray task does nothing else, and weights go by the store.

Ray chooses no cell: its workers take pieces from one another, as those of one machine do. When a node dies, the others
find its leases lapsed and take its pieces over, and Ray starts its worker elsewhere as soon as there is room.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import NotAvailable, UsageError
from bench.execution.crew import log_of, start_worker, wait_or_kill, why_ended
from bench.execution.slots import core_shares
from bench.execution.worker import Order

MAX_RETRIES = 3  # of a worker whose node, Ray process or own process was killed
STOP_S = 15.0
OBJECT_STORE_BYTES = 100_000_000  # Ray's own needs: nothing of the harness goes through it
LOCAL = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0"}  # memory running out is a row, no retry


class WorkerKilled(Exception):
    """A worker that a signal ended, which Ray starts again; one that failed is not started again."""


@dataclass(frozen=True)
class Place:
    """One worker's room on a node, an even share of it; `shares`: how many workers the node has."""

    node_id: str
    cpus: float
    gpus: int
    shares: int


class RayCrew:
    """One worker a node, or one a GPU of it where GPUs are measured: it has the whole node, or the GPU, to itself."""

    def __init__(self, address: str | None, device: str, accelerator: str | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            raise NotAvailable("--executor ray needs Ray; pip install -e '.[ray]'") from error
        self._ray: Any = ray
        if address is None:
            os.environ.update({**LOCAL, **os.environ})
        url = self._connect(address)
        where = "a local Ray" if address is None else f"Ray at {address}"
        self.note: str | None = f"{where}; " + (f"its dashboard: http://{url}" if url else "without a dashboard")
        self._accelerator = accelerator
        self._places = places_of(ray.nodes(), device, accelerator)
        self._running: dict[Any, Place] = {}

    def _connect(self, address: str | None) -> str | None:
        """Start a Ray of this machine, or join one; the address of its dashboard, where it has one."""
        quiet = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if address is None:
                context = self._ray.init("local", object_store_memory=OBJECT_STORE_BYTES, **quiet)
            else:
                context = self._ray.init(address, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise NotAvailable(f"--executor ray: {' '.join(str(error).split())[:300]}") from error
        url: str | None = context.dashboard_url
        return url

    @property
    def size(self) -> int:
        """See Crew."""
        return len(self._places)

    def start(self, order: Order) -> None:
        """See Crew."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        task = self._ray.remote(_work_off)
        for at, place in enumerate(self._places):
            asked = task.options(
                name=f"bench worker {at + 1}",
                num_cpus=place.cpus,
                num_gpus=place.gpus,
                accelerator_type=self._accelerator,
                max_retries=MAX_RETRIES,
                retry_exceptions=[WorkerKilled],
                scheduling_strategy=NodeAffinitySchedulingStrategy(place.node_id, soft=True),
            )
            own = order.model_copy(update={"name": str(at + 1)})
            self._running[asked.remote(own.model_dump_json(), place.shares)] = place

    def ended(self) -> list[str]:
        """See Crew."""
        done, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        said = []
        for reference in done:
            place = self._running.pop(reference)
            try:
                reason = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                reason = " ".join(str(error).split())[:300]
            if reason:
                said.append(f"worker on node {place.node_id[:8]}: {reason}")
        return said

    def alive(self) -> int:
        """See Crew."""
        return len(self._running)

    def stop(self) -> None:
        """See Crew; a Ray that was started for this run ends, too."""
        for reference in self._running:
            self._ray.cancel(reference)
        if self._running:
            self._ray.wait(list(self._running), num_returns=len(self._running), timeout=STOP_S)
        self._running.clear()
        self._ray.shutdown()


def places_of(nodes: list[Mapping[str, Any]], device: str, accelerator: str | None) -> list[Place]:
    """A place for each worker on the nodes that are alive; raises UsageError where there is none."""
    places = []
    for node in nodes:
        has = node["Resources"]
        if not node["Alive"] or (accelerator and not has.get(f"accelerator_type:{accelerator}")):
            continue
        count = int(has.get("GPU", 0)) if device == "cuda" else 1
        cpus = float(has.get("CPU", 0.0) // max(count, 1))
        if cpus:
            gpu = int(device == "cuda")
            places += [Place(node["NodeID"], cpus, gpu, count)] * count
    if not places:
        what = f"{device} and {accelerator}" if accelerator else device
        raise UsageError(f"--executor ray: none of {len(nodes)} nodes has room for a worker ({what})")
    return places


def _work_off(content: str, shares: int) -> str | None:
    """Run a worker on this node until it ends; why it ended early, None where it did not.

    Its threads are the run's: Ray sets OMP_NUM_THREADS to the processors of a task.
    """
    import ray

    order = Order.model_validate_json(content)
    name = f"{socket.gethostname()}-{ray.get_runtime_context().get_node_id()[:8]}-{order.name}"
    cpus = core_shares(shares)[int(ray.get_gpu_ids()[0]) % shares] if shares > 1 else None
    own = order.model_copy(update={"name": name, "out": order.out / name, "cpus": cpus})
    os.environ.pop("OMP_NUM_THREADS", None)
    process = start_worker(own, {})
    try:
        code = process.wait()
    except BaseException:
        process.send_signal(signal.SIGINT)
        wait_or_kill(process)
        raise
    reason = why_ended(code, log_of(own.out))
    if code < 0:
        raise WorkerKilled(reason)
    return reason
