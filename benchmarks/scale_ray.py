"""Kill workers, raylets and drivers of real runs on Ray at random moments, and look at what they leave.

PYTHONPATH=.:benchmarks python benchmarks/scale_ray.py [KILLS] [NODES]
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil

from bench.execution.progress import progress_of
from bench.files.objects import open_store
from bench.machine.sole_use import FOLDER
from bench.results.store import open_run

SEED, SEEDS = 0, 12
KINDS = ("worker", "raylet", "driver")
COMMAND = [sys.executable, "-c", "from bench.cli.main import main; main()", "run", "--quiet"]
LIMIT_S = 1200.0


@dataclass
class Grid:
    """A Ray of raylets that can be killed, and the driver of a run on it."""

    cluster: Any
    folder: Path
    arguments: list[str]
    nodes: list[Any]
    driver: subprocess.Popen[bytes] | None = None
    made: int = 0

    def add_node(self) -> None:
        env = {"BENCH_CACHE": str(self.folder / f"cache-{self.made % 8}"), "BENCH_CALIBRATION": "off"}
        env |= {FOLDER: str(self.folder), "PYTHONPATH": os.environ["PYTHONPATH"]}
        self.made += 1
        self.nodes.append(self.cluster.add_node(num_cpus=1, object_store_memory=80_000_000, env_vars=env))

    def start_driver(self) -> None:
        env = os.environ | {"BENCH_CACHE": str(self.folder / "cache-driver"), "BENCH_CALIBRATION": "off"}
        with (self.folder / "driver.log").open("ab") as log:
            on_ray = ["--executor", "ray", "--ray-address", self.cluster.address]
            self.driver = subprocess.Popen([*COMMAND, *self.arguments, *on_ray], env=env, stdout=log, stderr=log)

    def workers(self) -> list[psutil.Process]:
        """Those of this run alone: their locks' folder is ours."""
        found = []
        for process in psutil.process_iter():
            try:
                if "bench.execution.worker" in process.cmdline() and process.environ().get(FOLDER) == str(self.folder):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def kill(self, kind: str, chance: random.Random) -> bool:
        """Whether there was one to kill."""
        if kind == "worker":
            if not (found := self.workers()):
                return False
            chance.choice(found).kill()
        elif kind == "raylet":
            node = self.nodes.pop(chance.randrange(len(self.nodes)))
            self.cluster.remove_node(node, allow_graceful=False)
            self.add_node()
        else:
            assert self.driver is not None
            self.driver.send_signal(signal.SIGKILL)
            self.driver.wait()
            self.start_driver()
        return True


def whole(root: Path) -> tuple[int, int]:
    """Results in a store, and how many name a file that is not there or not what its hash says."""
    store = open_store(str(root))
    damaged, names = 0, store.names("results")
    for name in names:
        listed = json.loads(store.get(f"results/{name}") or b"{}")["files"].values()
        blobs = [(digest, root / "blobs" / digest[:2] / digest) for digest in listed]
        damaged += any(not path.is_file() or sha256(path.read_bytes()).hexdigest() != digest for digest, path in blobs)
    return len(names), damaged


def main() -> None:
    from ray.cluster_utils import Cluster

    kills, count = (int(argument) for argument in (*sys.argv[1:], *("12", "2")[len(sys.argv) - 1 :]))
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    chance, started = random.Random(SEED), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [f"the {word} number {n} was {word} today,{word}" for n in range(40) for word in ("good", "bad", "odd")]
        (folder / "mine.csv").write_text("\n".join(["text,label", *rows, ""]))
        arguments = ["--data", str(folder / "mine.csv"), "--methods", "tfidf", "--seeds", str(SEEDS)]
        arguments += ["--tier", "sample", "--out", str(folder / "run")]
        grid = Grid(Cluster(initialize_head=True, head_node_args={"num_cpus": 0}), folder, arguments, [])
        for _ in range(count):
            grid.add_node()
        grid.start_driver()
        killed: Counter[str] = Counter()
        again = 0
        while time.monotonic() - started < LIMIT_S:
            time.sleep(chance.uniform(3.0, 12.0))
            assert grid.driver is not None
            if (code := grid.driver.poll()) is not None:
                if code == 0 and sum(killed.values()) >= kills:
                    break
                again += 1
                if code == 0:
                    break
                grid.start_driver()
            if sum(killed.values()) < kills:
                kind = KINDS[sum(killed.values()) % len(KINDS)]
                killed[kind] += grid.kill(kind, chance)
                print(f"{time.monotonic() - started:.0f} s: {dict(killed)}", flush=True)
        code = grid.driver.wait(LIMIT_S) if grid.driver else 1
        run, store = open_run(folder / "run"), folder / "run" / "store"
        published, damaged = whole(store)
        cells = [(row.cell.seed, row.cell.engine) for row in run.results]
        left = progress_of(open_store(str(store)))
        said = {
            "raylets": count,
            "kills": dict(killed),
            "exit code of the last driver": code,
            "drivers started again after they ended incomplete": again,
            "rows": f"{len(cells)} of {SEEDS}",
            "rows twice": len(cells) - len(set(cells)),
            "results in the store": published,
            "half-written or damaged": damaged,
            "statuses": dict(Counter(str(row.status) for row in run.results)),
            "waiting": left.waiting,
            "seconds": round(time.monotonic() - started),
        }
        for what, found in said.items():
            print(f"| {what} | {found} |")
        print((folder / "driver.log").read_text()[-1500:], file=sys.stderr)
        grid.cluster.shutdown()


if __name__ == "__main__":
    main()
