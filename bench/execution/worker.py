"""Works off the pieces of a run as one of the processes that a launch started: `python -m bench.execution.worker`.

The order comes as a line of JSON on stdin, which stays open as long as whoever started it lives.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.machine.companions import hide_unfit_companions
from bench.machine.instructions import play_smaller_cpu
from bench.machine.threads import usable_cores
from bench.plan.request import RunRequest
from bench.plan.shards import Turns
from bench.types import Record

NODES = "nodes"
CANCELLED = 130


class Order(Record):
    """What a worker is told: the request, the store, where it works, and how it takes turns with others.

    cwd: from where the request's files are named, if the machine has that folder. cpus: those it may use, None for
    all; beside: whether others train on the machine meanwhile. driver: the code and
    packages of the machine that sends the order, which must be the worker's too.
    """

    request: RunRequest
    store: str
    out: Path
    token: str
    count: int
    name: str
    cwd: str
    cpus: tuple[int, ...] | None = None
    beside: bool = False
    driver: dict[str, Any]


def work(order: Order) -> None:
    """Do pieces until none is left; raises NotComparable where this machine is not like the others."""
    from bench.execution.console import RunConsole
    from bench.execution.processes import Workers
    from bench.execution.run import run_plan
    from bench.execution.schedule import Budget
    from bench.execution.sharded import refuse_unlike
    from bench.execution.sharing import sharing_of
    from bench.machine.environment import describe_environment
    from bench.plan.plan import make_plan

    budget = Budget(order.request.budget_s)
    with RunConsole(quiet=False) as console:
        workers = Workers(order.request.threads or usable_cores())
        plan = replace(make_plan(order.request, console.progress), out=order.out, beside=order.beside)
        refuse_unlike(order.driver, plan)
        with sharing_of(order.out, Turns(order.token, order.count, order.name), order.store) as sharing:
            if sharing is not None:
                card = describe_environment(plan.device, plan.threads)
                sharing.store.put(f"{NODES}/{socket.gethostname()}.json", json.dumps(card).encode())
            run_plan(plan, console, workers, budget, sharing)


def main() -> None:
    """Take the order and work; an error is the last line on stderr, and its kind the exit code."""
    order = Order.model_validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_starter, daemon=True).start()
    if order.cpus and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, order.cpus)
    hide_unfit_companions()
    play_smaller_cpu()
    try:
        work(order)
    except KeyboardInterrupt:
        sys.exit(CANCELLED)
    except BenchError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


def _end_with_starter() -> None:
    """A worker whose starter was killed must not go on: it would be one too many on its machine."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
