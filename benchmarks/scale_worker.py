"""One worker of benchmarks/scale.py: cells that sleep, through the harness's own leases and store.

python benchmarks/scale_worker.py STORE WORKPLACE LOG CELLS SECONDS
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from pathlib import Path

from bench.execution.sharing import Sharing
from bench.files.leases import Worker
from bench.files.objects import open_store
from bench.results.records import Cell
from bench.results.store import answers_path, part_path


def cell_of(number: int) -> Cell:
    return Cell(
        id=f"sleep.s{number}-{number:012x}",
        task="sleep",
        recipe="sleep",
        method="sleep",
        base_model=None,
        seed=number,
        engine="sleep",
        precision="fp32",
    )


def note(log: Path, what: str, number: int) -> None:
    """One line in one write, so that a kill leaves it whole or out; CLOCK_MONOTONIC is one for all processes."""
    line = json.dumps({"what": what, "cell": number, "pid": os.getpid(), "at": time.monotonic()}) + "\n"
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line.encode())
    os.close(handle)


def work(sharing: Sharing, out: Path, log: Path, number: int, seconds: float) -> None:
    """One cell: taken from the store, or slept through and published."""
    cell = cell_of(number)
    if sharing.fetch_cell(out, cell.id):
        return
    with sharing.turn(cell.id, cell.id):
        if sharing.fetch_cell(out, cell.id):
            return
        note(log, "start", number)
        time.sleep(seconds)
        content = os.urandom(50_000)  # differs each time: a mixture of two would not have either's hash
        for path in (answers_path(out, cell.id), part_path(out, cell.id, 0)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        note(log, "end", number)
        sharing.publish_cell(out, cell, None)


def main() -> None:
    root, out, log, cells, seconds = sys.argv[1:]
    order = list(range(int(cells)))
    random.Random(os.getpid()).shuffle(order)
    store = open_store(root)
    with Worker(store, f"worker {os.getpid()}") as worker:
        for number in order:
            work(Sharing(store, worker), Path(out), Path(log), number, float(seconds))


if __name__ == "__main__":
    main()
