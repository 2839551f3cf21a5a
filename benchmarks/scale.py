"""Kill workers of a shared run at random moments, and time its bookkeeping; writes benchmarks/scale.md.

PYTHONPATH=.:benchmarks python benchmarks/scale.py
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scale_worker import cell_of

from bench.execution.progress import progress_of
from bench.execution.pulling import pulled
from bench.execution.schedule import Step
from bench.execution.sharing import CLASSIFIERS, Sharing
from bench.files.leases import LEASES, WORKERS, Worker
from bench.files.objects import open_store
from bench.machine.environment import cpu_card
from bench.plan.shards import Turns, divide
from bench.plan.work import Item, Needs
from bench.results.names import result_name
from bench.results.store import answers_path

HERE = Path(__file__).parent
KILLS, WORKERS_AT_ONCE, CELLS, SLEEP_S = 50, 4, 400, 0.5
MANY = 100_000
PACE = 1 / 20
BOOKED = 500
SEED = 0


@dataclass(frozen=True)
class Killed:
    """What 50 kills left: figures of the table."""

    kills: int
    within_a_cell: int
    cells: int
    published: int
    executions: int
    overlapping: int
    damaged: int
    left_leases: int
    wall_s: float


def kill_at_random() -> Killed:
    """Workers; one that has begun a cell is killed with SIGKILL after up to 0.4 s and another started, many times."""
    chance = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        log, started = place / "log", time.monotonic()
        running = [_start(place, at) for at in range(WORKERS_AT_ONCE)]
        deaths: dict[int, float] = {}
        for at in range(KILLS):
            victim = running.pop(chance.randrange(len(running)))
            while f'"pid": {victim.pid},' not in (log.read_text() if log.exists() else ""):
                if victim.poll() is not None:
                    raise SystemExit("a worker found nothing left to do before all kills were spent: give more cells")
                time.sleep(0.02)
            time.sleep(chance.uniform(0.0, 0.4))
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            deaths[victim.pid] = time.monotonic()
            running.append(_start(place, WORKERS_AT_ONCE + at))
        for worker in running:
            if worker.wait(600):
                raise SystemExit("a worker failed")
        events = [json.loads(line) for line in log.read_text().splitlines()]
        return judge(str(place / "store"), CELLS, events, deaths, time.monotonic() - started)


def _start(place: Path, at: int) -> subprocess.Popen[bytes]:
    return start_worker(str(place / "store"), place / f"work{at}", place / "log", CELLS, SLEEP_S)


def start_worker(root: str, out: Path, log: Path, cells: int, sleep_s: float) -> subprocess.Popen[bytes]:
    arguments = [root, str(out), str(log), str(cells), str(sleep_s)]
    return subprocess.Popen([sys.executable, str(HERE / "scale_worker.py"), *arguments])


def judge(root: str, cells: int, events: Sequence[dict[str, float]], deaths: dict[int, float], wall_s: float) -> Killed:
    """What a store holds of so many cells; deaths: when each killed worker was."""
    store = open_store(root)
    names = store.names("results")
    damaged = 0
    with Worker(store, "reader") as reader, tempfile.TemporaryDirectory() as out:
        for number in range(cells):
            cell_id = cell_of(number).id
            if not Sharing(store, reader).fetch_cell(Path(out), cell_id):
                continue
            listed = json.loads(store.get(f"results/{cell_id}.json") or b"{}")["files"]
            path = answers_path(Path(out), cell_id)
            same = set(listed.values()) == {sha256(path.read_bytes()).hexdigest()}
            damaged += not same
    spans = _spans(events, deaths)
    overlapping = sum(later[0] < earlier[1] for of_cell in spans.values() for earlier, later in pairwise(of_cell))
    ended = sum(event["what"] == "end" for event in events)
    return Killed(
        kills=len(deaths),
        within_a_cell=sum(map(len, spans.values())) - ended,
        cells=cells,
        published=len(names),
        executions=sum(map(len, spans.values())),
        overlapping=overlapping,
        damaged=damaged,
        left_leases=len([name for name in store.names(LEASES) if name]),
        wall_s=wall_s,
    )


def _spans(events: Sequence[dict[str, float]], deaths: dict[int, float]) -> dict[float, list[tuple[float, float]]]:
    """When each cell was worked on: until its end, or until its worker's death."""
    ends = {(event["pid"], event["cell"]): event["at"] for event in events if event["what"] == "end"}
    spans: dict[float, list[tuple[float, float]]] = {}
    for event in sorted(events, key=lambda event: event["at"]):
        if event["what"] == "start":
            end = ends.get((event["pid"], event["cell"])) or deaths[int(event["pid"])]
            spans.setdefault(event["cell"], []).append((event["at"], end))
    return spans


def booking_ms() -> tuple[float, float]:
    """What leases and the store cost a cell of 200 kB, lease to release: on the clock, and of processor time."""
    with tempfile.TemporaryDirectory() as folder:
        store, out = open_store(f"{folder}/store"), Path(folder) / "out"
        cells = [cell_of(number) for number in range(BOOKED)]
        for cell in cells:
            path = answers_path(out, cell.id)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(cell.id.encode() * 8000)
        with Worker(store, "one") as worker:
            sharing, started, cpu = Sharing(store, worker), time.perf_counter(), time.process_time()
            for cell in cells:
                sharing.fetch_cell(out, cell.id)
                with sharing.turn(cell.id, cell.id):
                    sharing.fetch_cell(out, cell.id)
                    sharing.publish_cell(out, cell, None)
            passed = time.perf_counter() - started, time.process_time() - cpu
            return 1000 * passed[0] / BOOKED, 1000 * passed[1] / BOOKED


def many_cells() -> tuple[float, int]:
    """Seconds to tell of 100,000 cells what is left, and how many are."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("results", "plans", WORKERS, LEASES):
            (root / name).mkdir()
        needs = Needs(device="cpu", memory_gb=None, whole_machine=True)
        cell = {"kind": "cell", "task": "t", "recipe": "r", "needs": needs.model_dump(), "after": [], "expected_s": 1.0}
        items = [{**cell, "key": f"{at}", "seed": at // 10, "engine": f"e{at % 10}"} for at in range(MANY)]
        (root / "plans" / "p.json").write_text(json.dumps({"items": items}))
        for at in range(MANY - 10):
            name = f"{result_name('t', 'r', at // 10, f'e{at % 10}')}-{at:012x}.json"
            (root / "results" / name).write_text('{"settled": true, "files": {}}')
        started = time.perf_counter()
        found = progress_of(open_store(folder))
        return time.perf_counter() - started, found.waiting


def invented_items() -> list[Item]:
    """50 classifiers with 10 cells each; seconds from 2 to 200, evenly in their logarithm."""
    chance = random.Random(SEED)
    needs = Needs(device="cpu", memory_gb=None, whole_machine=True)
    return [
        Item(
            kind="cell" if engine else "training",
            key=f"{classifier}.{engine}",
            task="t",
            recipe=f"r{classifier}",
            seed=0,
            engine=f"e{engine}" if engine else None,
            needs=needs,
            after=(f"{classifier}.0",) if engine else (),
            expected_s=2 * 100 ** chance.random(),
        )
        for classifier in range(50)
        for engine in range(11)
    ]


def efficiencies() -> list[tuple[int, float]]:
    """The ideal time over that of the slowest shard, by the number of shards; no shard's time is measured."""
    items = invented_items()
    return [(count, _efficiency(items, count)) for count in (1, 2, 4, 8, 16, 32, 64)]


def _efficiency(items: Sequence[Item], count: int) -> float:
    """Each shard takes its pieces in turn; one whose training is another's waits for that."""
    parts = divide(items, count)
    trained_s: dict[str, float] = {}
    for part in parts:
        now_s = 0.0
        for piece in part:
            if piece.first:
                trained_s[piece.classifier[1]] = now_s + piece.fit_s
            now_s += piece.expected_s
    longest_s = 0.0
    for part in parts:
        now_s = 0.0
        for piece in part:
            now_s = (now_s if piece.first else max(now_s, trained_s[piece.classifier[1]])) + piece.expected_s
        longest_s = max(longest_s, now_s)
    return ideal_s(items, count) / longest_s


def ideal_s(items: Sequence[Item], count: int) -> float:
    """Nobody can be faster than all work by the number of workers, or than a training and its longest cell."""
    fits_s = {item.recipe: item.expected_s or 0.0 for item in items if item.kind == "training"}
    chain_s = max(fits_s[item.recipe] + (item.expected_s or 0.0) for item in items if item.kind == "cell")
    return max(sum(item.expected_s or 0.0 for item in items) / count, chain_s)


def pulled_efficiency(count: int) -> float:
    """The ideal time over that of workers, threads of this process, that take pieces in turns and sleep their times."""
    items = invented_items()
    slept_s = {(item.recipe, item.engine): (item.expected_s or 0.0) * PACE for item in items}
    task: Any = SimpleNamespace(data=SimpleNamespace(name="t"))
    recipes: list[Any] = [SimpleNamespace(id=f"r{at}") for at in range(50)]
    steps = [Step(task, recipe, 0, None) for recipe in recipes]
    with tempfile.TemporaryDirectory() as folder:
        store, turns = open_store(f"{folder}/store"), Turns("simulated", count, "thread")

        def work(number: int) -> float:
            ended = time.monotonic()
            with Worker(store, f"{number}") as worker:
                sharing = Sharing(store, worker)
                for step in pulled(sharing, turns, steps, items):
                    name = f"t.{step.recipe.id}.s0-{0:012x}"
                    if store.get(f"{CLASSIFIERS}/{name}.json") is None:
                        with sharing.turn(name, name):
                            time.sleep(slept_s[step.recipe.id, None])
                            store.put_new(f"{CLASSIFIERS}/{name}.json", b"{}")
                    for engine in step.engines or ():
                        cell = cell_of(int(step.recipe.id[1:]) * 100 + int(engine[1:]))
                        with sharing.turn(cell.id, cell.id):
                            time.sleep(slept_s[step.recipe.id, engine])
                            sharing.publish_cell(Path(folder) / "out", cell, None)
                    ended = time.monotonic()
            return ended

        started = time.monotonic()
        with ThreadPoolExecutor(count) as pool:
            took_s = max(pool.map(work, range(count))) - started
        if len(store.names("results")) != 500:
            raise SystemExit("not every cell has a result")
    return ideal_s(items, count) * PACE / took_s


def page(
    killed: Killed,
    booked_ms: tuple[float, float],
    many: tuple[float, int],
    shards: Sequence[tuple[int, float]],
    turns: Sequence[tuple[int, float]],
    ray: str,
) -> str:
    many_s, left = many
    table = "\n".join(f"| {count} | {share:.0%} |" for count, share in shards)
    taken = "\n".join(f"| {count} | {share:.0%} |" for count, share in turns)
    return f"""# A run of many workers

Made by `PYTHONPATH=.:benchmarks python benchmarks/scale.py` on {cpu_card()["model"]}, {cpu_card()["cores"]} cores,
which other work shared: seconds are upper ends.

## Workers killed at random moments

{WORKERS_AT_ONCE} workers, {killed.cells} cells that sleep {SLEEP_S} s and write 50 kB, through the leases and the
store of `bench run --shard` (a folder); one worker after the other that has
begun a cell is killed with SIGKILL, up to 0.4 s later, and another started.

| what | found |
|---|---|
| kills | {killed.kills}, of them within a cell {killed.within_a_cell} |
| cells with a result | {killed.published} of {killed.cells} |
| times that a cell was worked on | {killed.executions} |
| of these, two workers at once on one cell | {killed.overlapping} |
| results that mix two or are half written | {killed.damaged} |
| leases left behind | {killed.left_leases} |
| seconds in all | {killed.wall_s:.0f} |

Results are readable at every moment: a result is announced after all its files are in the store, under their hashes.
A server that is away for a while is asked again (tests/files/test_remote_objects.py, and below). `bench run --shard`
itself is killed in tests/execution/test_shards.py, whose run then ends with the predictions of an undivided run.

## What the bookkeeping costs

- Lease, look-up, publishing and release of a cell with a file of 200 kB: {booked_ms[0]:.1f} ms,
  {booked_ms[1]:.1f} ms of it processor time; the rest is waiting for the disk, and here for others.
- `bench status` of a store with {MANY:,} cells: {many_s:.1f} s; it finds the {left} that are left.

## How even the shards are

A calculation, not a measurement: 50 classifiers with 10 cells each, 2 to 200 s a training or cell, divided as `--shard`
divides; the best possible time (all work by the number of workers, or the longest training with its longest cell)
over that of the slowest shard.

| shards | efficiency |
|---|---|
{table}

## Workers that take pieces from one another

Measured: the same 50 classifiers with 10 cells each, whose times are slept {1 / PACE:.0f} times faster than they are,
by workers that take pieces in turns as those of `--jobs`, `--devices` and `--executor ray` do, with their leases and
store; here threads of one process. The best possible time over that until the last piece is done.

| workers | efficiency |
|---|---|
{taken}
{ray}"""


def main() -> None:
    page_path = HERE / "scale.md"
    _, mark, ray = page_path.read_text(encoding="utf-8").partition("\n## On Ray")  # made by scale_ray.py
    turns = [(count, pulled_efficiency(count)) for count in (16, 64)]
    found = page(kill_at_random(), booking_ms(), many_cells(), efficiencies(), turns, mark + ray)
    page_path.write_text(found, encoding="utf-8")
    print(found)


if __name__ == "__main__":
    main()
