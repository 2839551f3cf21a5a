"""Measure a row's peak memory three times: with the export still to be made, and twice with the file there.

    python benchmarks/memory.py CLASSIFIER:ENGINE,ENGINE ... > benchmarks/memory.md

CLASSIFIER is a trained folder, such as those in the cache. torch is loaded in this process and in the fork server that
other jobs start from: the figures must not show it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch

import bench
from bench.execution.memory_job import MemoryTask, longest_texts, measure_memory
from bench.execution.processes import Workers
from bench.plan.engines import load_engines
from bench.types import Workplace

SAMPLE = Path(bench.__file__).parent / "data" / "samples" / "agnews.tsv"


def main() -> None:
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    texts = [line.rpartition("\t")[0] for line in lines]
    workers = Workers(1)
    print("# Peak memory of serving\n")
    print(f"Written by `python benchmarks/memory.py` (torch {torch.__version__} loaded beside it); MB; one thread.\n")
    print("| classifier | engine | exporting too | file there | again | seconds of a measurement |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for argument in sys.argv[1:]:
        folder, _, engines = argument.rpartition(":")
        for engine in engines.split(","):
            with tempfile.TemporaryDirectory() as cache:
                place = Workplace("cpu", 1, Path(cache))
                task = MemoryTask(
                    Path(folder), load_engines()[engine], place, longest_texts(texts, "cpu"), tuple(texts[:64])
                )
                log = Path(cache) / "log"
                found = [workers.run(measure_memory, (task,), 600, log, lambda *_: None, fresh=True) for _ in range(3)]
            sizes = " | ".join(f"{each.payload / 1e6:,.0f}" if each.payload else each.status for each in found)
            print(
                f"| {Path(folder).name.partition('-')[0]} | {engine} | {sizes} | {found[-1].wall_s:.1f} |", flush=True
            )


if __name__ == "__main__":
    main()
